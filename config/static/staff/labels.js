/* For who listens to the page: names select2's choices by the labels of their fields, which it leaves out, and silences icons, each of which is a word in a font that draws it. */
"use strict";

{
    const columnOf = (cell) => cell?.closest("table")?.querySelectorAll("thead th")[cell.cellIndex]?.textContent.trim();

    const name = (box) => {
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

    const silence = (icon) => {
        icon.setAttribute("aria-hidden", "true");
        const control = icon.closest("a, button");
        if (control && !control.title && control.innerText.trim() === icon.innerText.trim()) control.ariaLabel ??= icon.innerText.trim().replaceAll("_", " ");
    };

    const attend = () => {
        document.querySelectorAll(".select2 [role=combobox]:not([data-named])").forEach(name);
        document.querySelectorAll(".material-symbols-outlined:not([aria-hidden])").forEach(silence);
    };

    // select2 makes them whenever it gets to it: after the page has loaded, and for every row that is added to it.
    new MutationObserver(attend).observe(document, { childList: true, subtree: true });
}
