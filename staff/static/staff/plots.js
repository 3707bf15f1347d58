/* The text of plots in the colour of the page's, which changes with the theme; unfold draws them. */
"use strict";

{
    const paint = () => {
        Chart.defaults.color = getComputedStyle(document.querySelector(".staff-plots")).color;
        for (const canvas of document.querySelectorAll("canvas.chart")) Chart.getChart(canvas)?.update();
    };
    paint();
    new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}
