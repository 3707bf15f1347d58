/* Checks lists and metadata while staff type. The server names the errors, so that no rule has two versions. */
"use strict";

{
    const PAUSE = 300; // milliseconds without a key before the server is asked
    const timers = new WeakMap();

    const verdictOf = (area) => {
        const id = `${area.id}-checked`;
        let verdict = document.getElementById(id);
        if (!verdict) {
            verdict = document.createElement("p");
            verdict.id = id;
            verdict.className = "staff-checked";
            verdict.setAttribute("role", "status");
            area.after(verdict);
            area.setAttribute("aria-describedby", `${area.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
        }
        return verdict;
    };

    const check = async (area) => {
        const value = area.value;
        const body = new FormData();
        body.set("value", value);
        body.set("csrfmiddlewaretoken", area.form.elements.csrfmiddlewaretoken.value);
        const response = await fetch(area.dataset.check, { method: "POST", body }).catch(() => null);
        if (!response?.ok || area.value !== value) return; // the form is checked again when it is sent
        const { errors } = await response.json();
        verdictOf(area).textContent = errors.join("\n");
        area.setAttribute("aria-invalid", String(errors.length > 0));
    };

    document.addEventListener("input", ({ target }) => {
        if (!target.matches("textarea[data-check]")) return;
        clearTimeout(timers.get(target));
        timers.set(target, setTimeout(check, PAUSE, target));
    });
}
