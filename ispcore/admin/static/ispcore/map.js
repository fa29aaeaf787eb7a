/* A map of squares: arrow keys move between them, one Tab leaves it, and a line below says what a square is. */
for (const map of document.querySelectorAll(".isp-grid-map")) {
    const cells = [...map.querySelectorAll(".isp-cell")];
    const line = document.getElementById(map.dataset.says);
    const say = (cell) => { line.textContent = cell.getAttribute("aria-label"); };
    const enter = (cell) => {
        cells.forEach((each) => { each.tabIndex = each === cell ? 0 : -1; });
        say(cell);
    };
    const columns = () => getComputedStyle(map).gridTemplateColumns.split(" ").length;
    const moves = {
        ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => columns(), ArrowUp: () => -columns(),
        Home: (at) => -at, End: (at) => cells.length - 1 - at,
    };
    cells.forEach((cell, at) => {
        cell.tabIndex = at ? -1 : 0;
        cell.removeAttribute("title");
        cell.addEventListener("mouseenter", () => say(cell));
        cell.addEventListener("focus", () => enter(cell));
        cell.addEventListener("keydown", (event) => {
            const move = moves[event.key];
            const next = move && cells[at + move(at)];
            if (!move) return;
            event.preventDefault();
            if (next) next.focus();
        });
    });
}
