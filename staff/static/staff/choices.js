/* Sends along with a search for choices what the form holds already, so that those alone are offered that fit it. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const $ = window.django?.jQuery;
    if (!$) return;
    let asking = null;

    const given = ({ name, form, dataset }) => {
        const row = name.slice(0, name.lastIndexOf("-") + 1); // of an inline, "" of the page itself
        const fixed = JSON.parse(dataset.fixed);
        const query = new URLSearchParams();
        for (const field of dataset.given.split(" ")) {
            const value = fixed[field] || form.elements[row + field]?.value || form.elements[field]?.value;
            if (value) query.set(field, value);
        }
        return query;
    };

    $(document).on("select2:opening", ({ target }) => { asking = target; });
    $.ajaxPrefilter((options) => {
        if (!asking?.dataset.given || !options.url.includes("/autocomplete/")) return;
        options.url += `${options.url.includes("?") ? "&" : "?"}${given(asking)}`;
    });
});
