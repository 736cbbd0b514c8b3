// Collapses and expands the scopes of every drawing in the page that no script has served yet.
// Must hold: no less-than sign and no ampersand, so that XML and HTML read the same text.
"use strict";
(function () {
  var GAP = 26;

  function setUp(svg) {
    var data = JSON.parse(svg.querySelector("metadata").textContent);
    var contents = [];
    svg.querySelectorAll(".nld-content").forEach(function (g) { contents[Number(g.dataset.frame)] = g; });
    var closed = new Set(data.closed);

    // The new drawing of frame i: its size, and where a place at its border has gone.
    function layOut(i) {
      var f = data.frames[i];
      if (closed.has(i)) {
        return { closed: true, w: f.closedWidth, h: data.closedHeight, changed: true };
      }
      var items = f.items.map(function (item) {
        var inner = item[6] === -1 ? null : layOut(item[6]);
        var w = inner ? inner.w : item[2];
        var anchor = inner ? (inner.closed ? w / 2 : inner.map(item[5])) : w / 2;
        var left = Math.min(Math.max(item[0] + item[5] - anchor, item[0]), item[0] + Math.max(item[2] - w, 0));
        return { inner: inner, w: w, h: inner ? inner.h : item[3], left: left, was: item[0], row: item[4] };
      });
      var changed = items.some(function (item) { return item.inner ? item.inner.changed : false; });
      if (changed) { slide(f, items); }
      var squeezed = changed ? squeeze(f, items) : { map: function (x) { return x; }, w: f.w };
      var rows = newRows(f, items);
      items.forEach(function (item) {
        item.x = squeezed.map(item.left);
        item.y = rows.at[item.row][0] + Math.min((rows.at[item.row][2] - item.h) / 2, data.sink);
      });
      return { closed: false, w: squeezed.w, h: f.h - rows.saved, changed: changed, items: items,
               rows: rows.at, map: squeezed.map };
    }

    // Boxes and scopes move towards what they are joined to, as far as their neighbours in the row let them.
    function slide(f, items) {
      var joined = items.map(function () { return []; });
      f.lines.forEach(function (line) {
        var way = line[3], last = way.length - 1;
        [[0, 1, 1], [1, last - 1, 0]].forEach(function (end) {
          var other = end[1] === (end[2] ? last : 0) ? line[end[2]] : -1;
          if (line[end[0]] !== -1) { joined[line[end[0]]].push([other, way[end[1]][0], end[0], way[end[0] ? last : 0][0]]); }
        });
      });
      [0, 1, 0, 1].forEach(function (above) {  // from below upwards, then back under what is above
        (above ? items.slice() : items.slice().reverse()).forEach(function (item) {
          var ends = joined[items.indexOf(item)].filter(function (end) { return end[2] === above; });
          var near = ends.filter(function (end) { return end[0] !== -1; });
          if (near.length) { ends = near; }  // what is in the next row comes first, then ways to further ones
          if (!ends.length) { return; }
          var x = ends.map(function (end) {
            return end[0] === -1 ? end[1] : attached(items[end[0]], f.items[end[0]], end[1], items[end[0]].left);
          });
          var middle = x.reduce(function (a, b) { return a + b; }, 0) / x.length;
          var bounds = between(f, items, item);
          var from = attached(item, f.items[items.indexOf(item)], ends[0][3], item.left) - item.left;
          item.left = Math.min(Math.max(middle - from, bounds[0]), bounds[1]);
        });
      });
    }

    // How far an item may move to the left and to the right.
    function between(f, items, item) {
      var low = -Infinity, high = Infinity;
      function keepOff(row, was, left, right) {
        if (row !== item.row) { return; }
        if (item.was > was) { low = Math.max(low, right); } else { high = Math.min(high, left - item.w); }
      }
      items.forEach(function (other) {
        if (other !== item) { keepOff(other.row, other.was, other.left - GAP, other.left + other.w + GAP); }
      });
      f.lines.forEach(function (line) {
        line[3].slice(1, -1).forEach(function (s) { keepOff(s[3], s[0], s[0] - 14, s[0] + 14); });
      });
      return [Math.min(low, item.left), Math.max(high, item.left)];
    }

    // Rows are as high as what is in them now; the distances between rows stay.
    function newRows(f, items) {
      var saved = 0;
      var at = f.rows.map(function (row, r) {
        var height = items.reduce(function (h, item) { return item.row === r ? Math.max(h, item.h) : h; }, 0);
        var place = [row[0] - saved, row[0] - saved + height + row[2], height];
        saved += row[1] - height;
        return place;
      });
      return { at: at, saved: saved };
    }

    // A map of x that takes away what is empty from top to bottom, but for GAP.
    function squeeze(f, items) {
      var used = items.map(function (item) { return [item.left, item.left + item.w]; });
      f.lines.forEach(function (line) {
        line[3].forEach(function (s, k) {
          var leaves = k === line[3].length - 1 ? line[1] === -1 : false;  // its shape is written outside
          var inside = k === 0 ? line[0] === -1 : leaves ? true : k !== line[3].length - 1;
          if (inside) { used.push([s[0] - 8, s[0] + (leaves ? 40 : 8)]); }
        });
      });
      used.sort(function (a, b) { return a[0] - b[0]; });
      var start = used[0][0], end = start, moved = 0, cuts = [[start, 0]];
      used.forEach(function (u) {
        if (u[0] - end > GAP) {
          moved += u[0] - end - GAP;
          cuts.push([u[0], moved]);
        }
        end = Math.max(end, u[1]);
      });
      var pad = f === data.frames[0] ? 0 : data.padding;
      var w = end - moved - start + 2 * pad;
      var missing = pad ? Math.max(f.closedWidth - w, 0) : 0;
      return { w: w + missing, map: function (x) {
        var by = 0;
        cuts.forEach(function (cut) { if (x >= cut[0] - 0.05) { by = cut[1]; } });
        return x - by - start + pad + missing / 2;
      } };
    }

    function n(value) { return String(Math.round(value * 10) / 10); }

    // Where a line is attached to an item: at the middle of a box, at a port of a scope.
    function attached(item, old, x, left) {
      return left + (item.inner ? (item.inner.closed ? item.w / 2 : item.inner.map(x - old[0])) : item.w / 2);
    }

    function stations(f, frame, line) {
      var last = line[3].length - 1;
      return line[3].map(function (s, k) {
        var row = frame.rows[s[3]], top = row[0], bottom = row[1], x = frame.map(s[0]);
        var up = s[1] > s[2];
        if (k === 0) {
          if (line[0] === -1) { return [x, s[1], s[2]]; }
          var tail = frame.items[line[0]];
          return [attached(tail, f.items[line[0]], s[0], tail.x), tail.y + tail.h, bottom];
        }
        if (k === last) {
          if (line[1] === -1) { return [x, top, top]; }
          var head = frame.items[line[1]];
          return [attached(head, f.items[line[1]], s[0], head.x), top, head.y];
        }
        return up ? [x, bottom, top] : [x, top, bottom];
      });
    }

    function path(way) {
      var x = way[0][0], bottom = way[0][2], going = 1;
      var d = "M" + n(x) + " " + n(way[0][1]) + "V" + n(bottom);
      way.slice(1).forEach(function (s) {
        var then = s[1] > s[2] ? -1 : 1;
        var middle = going === then ? (bottom + s[1]) / 2 : bottom + 24 * going;
        d += "C" + n(x) + " " + n(middle) + " " + n(s[0]) + " " + n(middle) + " " + n(s[0]) + " " + n(s[1]) + "V" + n(s[2]);
        x = s[0]; bottom = s[2]; going = then;
      });
      return d;
    }

    function show(i, frame) {
      var g = contents[i], f = data.frames[i];
      g.style.display = frame.closed ? "none" : "";
      var outer = g.parentNode;
      if (i !== 0) {
        var head = outer.querySelector(":scope > .nld-head");
        outer.querySelector(":scope > .nld-frame").setAttribute("width", n(frame.w));
        outer.querySelector(":scope > .nld-frame").setAttribute("height", n(frame.h));
        head.querySelector(".nld-bar").setAttribute("width", n(frame.w));
        head.querySelector(".nld-bar").setAttribute("height", n(frame.closed ? frame.h : data.header));
        head.setAttribute("aria-expanded", String(!frame.closed));
        head.querySelector(".nld-sign").setAttribute("d", frame.closed ? "M12 12.5v9l7-4.5z" : "M11 10h9l-4.5 7z");
        head.querySelector("text").setAttribute("y", frame.closed ? "22" : "18");
      }
      if (frame.closed) { return; }
      var boxes = g.querySelectorAll(":scope > .nld-item");
      frame.items.forEach(function (item, k) {
        boxes[k].setAttribute("transform", "translate(" + n(item.x) + "," + n(item.y) + ")");
        if (item.inner) { show(f.items[k][6], item.inner); }
      });
      var lines = g.querySelectorAll(":scope > .nld-line"), ways = [];
      f.lines.forEach(function (line, k) {
        var way = ways[k] = stations(f, frame, line), end = way[way.length - 1];
        lines[k].setAttribute("d", path(way));
        if (line[1] !== -1) {
          lines[k].nextElementSibling.setAttribute(
            "d", "M" + n(end[0] - 3.6) + " " + n(end[2] - 7) + "h7.2L" + n(end[0]) + " " + n(end[2]) + "z");
        }
      });
      var told = new Map();
      g.querySelectorAll(":scope > .nld-shape").forEach(function (text) {
        var k = Number(text.dataset.line), tail = frame.items[f.lines[k][0]];
        if (text.dataset.text === undefined) { text.dataset.text = text.textContent; }
        text.textContent = text.dataset.text;
        text.style.display = "";
        text.setAttribute("x", n(ways[k][0][0] + 6 * f.lines[k][2]));
        text.setAttribute("y", n(ways[k][0][2] - 2));
        if (!tail.inner || !tail.inner.closed) { return; }
        var first = told.get(tail);  // what leaves a collapsed scope at one place is written once
        if (!first) { told.set(tail, text); return; }
        text.style.display = "none";
        if (first.textContent !== text.dataset.text) { first.textContent = "several shapes"; }
      });
    }

    function draw() {
      var frame = layOut(0);
      show(0, frame);
      var w = Math.max(frame.w, data.least) + 2 * data.margin, h = data.top + frame.h + data.margin;
      svg.setAttribute("width", n(w));
      svg.setAttribute("height", n(h));
      svg.setAttribute("viewBox", "0 0 " + n(w) + " " + n(h));
      svg.querySelector(".nld-graph").setAttribute("transform", "translate(" + n((w - frame.w) / 2) + "," + n(data.top) + ")");
    }

    svg.querySelectorAll(".nld-head").forEach(function (head) {
      var i = Number(head.parentNode.querySelector(":scope > .nld-content").dataset.frame);
      function toggle(event) {
        if (event.type === "keydown" ? event.key !== "Enter" : false) { return; }
        if (!closed.delete(i)) { closed.add(i); }
        draw();
      }
      head.addEventListener("click", toggle);
      head.addEventListener("keydown", toggle);
    });
    if (closed.size) { draw(); }
  }

  document.querySelectorAll("svg.nld-diagram:not([data-ready])").forEach(function (svg) {
    if (svg.querySelector("metadata")) {
      svg.setAttribute("data-ready", "");
      setUp(svg);
    }
  });
}());
