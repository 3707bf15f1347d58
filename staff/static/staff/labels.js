/* For who listens to the page or has no mouse: names what unfold and select2 leave nameless, and lets keys press what unfold only lets a mouse click. */
"use strict";

{
    const ICON = ".material-symbols-outlined"; // a word, in a font that draws it
    const CLICKED = "[x-on\\:click]:not(button, [href], input)";
    const ICON_NAMES = {
        computer: "Theme", dark_mode: "Theme", light_mode: "Theme",
        dock_to_right: "Navigation", fact_check: "Home", more_horiz: "More", more_vert: "More",
    };

    const columnOf = (cell) => cell?.closest("table")?.querySelectorAll("thead th")[cell.cellIndex]?.textContent.trim();

    const nameChoice = (box) => {
        const select = box.closest(".select2")?.previousElementSibling;
        const label = select?.labels?.[0];
        if (label) {
            label.id ||= `${select.id}-label`;
            box.setAttribute("aria-labelledby", `${label.id} ${box.getAttribute("aria-labelledby")}`);
        } else {
            box.removeAttribute("aria-labelledby");
            box.setAttribute("aria-label", columnOf(box.closest("td")) || select?.name || "");
        }
        for (const attribute of ["aria-readonly", "role"]) box.querySelector("[role=textbox]")?.removeAttribute(attribute);
        box.dataset.named = "";
    };

    const nameSearch = (field) => {
        const label = field.closest(".select2")?.previousElementSibling?.labels?.[0]?.textContent.trim();
        field.setAttribute("aria-label", label || columnOf(field.closest("td")) || "Search");
    };

    const hasText = (control) => {
        const copy = control.cloneNode(true);
        copy.querySelectorAll(ICON).forEach((icon) => icon.remove());
        return copy.textContent.trim() !== "";
    };

    const silenceIcon = (icon) => {
        const word = icon.textContent.trim();
        if (!word) return; // Alpine is still to write it
        const control = icon.closest(`a, button, ${CLICKED}`);
        if (control === icon || (control && !control.title && !hasText(control))) control.ariaLabel ??= ICON_NAMES[word] ?? word;
        if (control !== icon) icon.setAttribute("aria-hidden", "true");
        icon.dataset.named = "";
    };

    const makeButton = (element) => {
        if (!element.textContent.trim()) return; // what lies around a dialog; Escape closes that
        element.setAttribute("role", "button");
        element.tabIndex = 0;
    };

    const attend = () => {
        document.querySelectorAll(".select2 [role=combobox]:not([data-named])").forEach(nameChoice);
        document.querySelectorAll(".select2-search__field:not([aria-label])").forEach(nameSearch);
        // The list that is open, which select2 names as ARIA 1.0 had it.
        document.querySelectorAll(".select2 [aria-owns]").forEach((box) => box.setAttribute("aria-controls", box.getAttribute("aria-owns")));
        document.querySelectorAll(`${ICON}:not([data-named])`).forEach(silenceIcon);
        document.querySelectorAll(`${CLICKED}:not([role])`).forEach(makeButton);
    };

    // select2 and Alpine make them whenever they get to it: after the page has loaded, and for every row that is added.
    new MutationObserver(attend).observe(document, { childList: true, subtree: true });

    document.addEventListener("keydown", (event) => {
        if (!event.target.matches?.(`${CLICKED}[role=button]`) || !["Enter", " "].includes(event.key)) return;
        event.preventDefault();
        event.target.click();
    });
}
