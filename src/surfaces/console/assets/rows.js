// The rows of a table that is looked at again: a row stays the element that it was, and so does each cell that did not change, so
// that the focus is not lost. That rows which come in above do not push down what is read is the browser's own doing (scroll anchoring).

export class Rows {
  known = new Map();

  /** `make(item)` gives the row of an item. */
  constructor(body, make) {
    this.body = body;
    this.make = make;
  }

  /** `list` is [key, item], in order. */
  show(list) {
    const wanted = new Set(list.map(([key]) => key));
    for (const [key, { row }] of this.known) {
      if (wanted.has(key)) continue;
      row.remove();
      this.known.delete(key);
    }
    let next = this.body.firstElementChild;
    for (const [key, item] of list) {
      const row = this.row_of(key, item);
      if (row === next) next = next.nextElementSibling;
      else this.body.insertBefore(row, next);
    }
  }

  row_of(key, item) {
    const text = JSON.stringify(item);
    const known = this.known.get(key);
    if (!known) {
      const row = this.make(item);
      this.known.set(key, { row, text });
      return row;
    }
    if (known.text !== text) {
      const fresh = [...this.make(item).cells];
      fresh.forEach((cell, place) => { if (!cell.isEqualNode(known.row.cells[place])) known.row.cells[place].replaceWith(cell); });
      known.text = text;
    }
    return known.row;
  }
}

/** Does `look` every half minute, on a page that is seen: pages are open all day. */
export function look_again(look) {
  setInterval(() => { if (!document.hidden) look(); }, 30_000);
}
