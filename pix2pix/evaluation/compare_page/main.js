// Starts the page: at first the best runs, at most twelve of them, are shown.
makeChips();
$("search").addEventListener("input", filter);
$("all").addEventListener("click", () => draw(selection.matching));
$("best").addEventListener("click", drawBest);
$("none").addEventListener("click", () => draw([]));
choosePictures(data.rows.length ? "rows" : "samples");
drawBest();
