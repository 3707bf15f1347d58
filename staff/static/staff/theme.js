/* The theme that was chosen in the admin, for pages on which unfold's scripts do not run. */
"use strict";

{
    const chosen = localStorage.getItem("adminTheme")?.replaceAll('"', "");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
