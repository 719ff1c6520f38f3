/* Pictures: zoom with wheel, buttons and keys; two of the same size beside or over one another, moving together. */
(function ($) {
  "use strict";
  var MOST = 32, STEP = 1.25, MOVE = 48; // times; of a key in pixels

  function views(root) { return $(root).find("[data-view]").get().filter(function (view) { return view.firstElementChild.naturalWidth; }); }
  function state(root) {
    root.ovdView = root.ovdView || { scale: 1, x: 0, y: 0 };
    return root.ovdView;
  }
  function show(root) {
    var now = state(root);
    views(root).forEach(function (view) {
      var image = view.firstElementChild;
      var wide = Math.max(0, (image.clientWidth * now.scale - view.clientWidth) / 2);
      var high = Math.max(0, (image.clientHeight * now.scale - view.clientHeight) / 2);
      now.x = Math.min(wide, Math.max(-wide, now.x));
      now.y = Math.min(high, Math.max(-high, now.y));
    });
    views(root).forEach(function (view) {
      var image = view.firstElementChild;
      image.style.transform = "translate(" + now.x + "px," + now.y + "px) scale(" + now.scale + ")";
      image.style.imageRendering = now.scale * image.clientWidth / image.naturalWidth > 3 ? "pixelated" : "";
      view.classList.toggle("is-zoomed", now.scale > 1.001);
    });
    $(root).find("[data-zoom-level]").text(Math.round(now.scale * 100) + " %");
  }
  /* Zooms by a factor; the point of the picture under (x, y), measured from the middle of the box, stays where it is. */
  function zoom(root, factor, x, y) {
    var now = state(root), scale = Math.min(MOST, Math.max(1, now.scale * factor)), by = scale / now.scale;
    now.x = (x || 0) - ((x || 0) - now.x) * by;
    now.y = (y || 0) - ((y || 0) - now.y) * by;
    now.scale = scale;
    show(root);
  }
  function fit(root) { root.ovdView = { scale: 1, x: 0, y: 0 }; show(root); }
  function pixels(root) {
    var image = views(root).length && views(root)[0].firstElementChild;
    if (image) { zoom(root, image.naturalWidth / image.clientWidth / state(root).scale); }
  }
  function move(root, x, y) { var now = state(root); now.x += x; now.y += y; show(root); }

  var KEYS = {
    "+": function (root) { zoom(root, STEP); }, "=": function (root) { zoom(root, STEP); }, "-": function (root) { zoom(root, 1 / STEP); },
    "0": fit, "1": pixels,
    ArrowLeft: function (root) { move(root, MOVE, 0); }, ArrowRight: function (root) { move(root, -MOVE, 0); },
    ArrowUp: function (root) { move(root, 0, MOVE); }, ArrowDown: function (root) { move(root, 0, -MOVE); }
  };
  $(document).on("keydown", "[data-view][tabindex], [data-compare-box]", function (event) {
    var root = this.closest("[data-viewer]"), act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) { return; }
    if (/^Arrow/.test(event.key) && state(root).scale <= 1.001) { return; } // nothing to move: the page scrolls
    event.preventDefault();
    act(root);
  });
  $(document).on("click", "[data-viewer] [data-zoom]", function () {
    var root = this.closest("[data-viewer]");
    ({ in: KEYS["+"], out: KEYS["-"], fit: fit, pixels: pixels })[this.dataset.zoom](root);
  });
  /* The wheel zooms what one has clicked into or with Ctrl; else it scrolls the page. */
  document.addEventListener("wheel", function (event) {
    var view = event.target.closest && event.target.closest("[data-view]"), root = view && view.closest("[data-viewer]");
    if (!root || !(event.ctrlKey || root.contains(document.activeElement))) { return; }
    event.preventDefault();
    var box = view.getBoundingClientRect();
    zoom(root, Math.pow(STEP, -Math.sign(event.deltaY)), event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
  }, { passive: false });

  var drag = null;
  $(document).on("pointerdown", "[data-view]", function (event) {
    var root = this.closest("[data-viewer]");
    (this.closest("[data-compare-box]") || this).focus({ preventScroll: true });
    if (event.button !== 0 || state(root).scale <= 1.001) { return; }
    event.preventDefault();
    drag = { root: root, x: event.clientX, y: event.clientY };
    this.setPointerCapture(event.pointerId);
  });
  $(document).on("pointermove", "[data-view]", function (event) {
    if (!drag) { return; }
    move(drag.root, event.clientX - drag.x, event.clientY - drag.y);
    drag.x = event.clientX; drag.y = event.clientY;
  });
  $(document).on("pointerup pointercancel", "[data-view]", function () { drag = null; });

  /* Compare: only pictures that have the same size. */
  function sized(url) {
    return new Promise(function (resolve) {
      var image = new Image();
      image.onload = function () { resolve(image.naturalWidth + "×" + image.naturalHeight); };
      image.onerror = function () { resolve(""); };
      image.src = url;
    });
  }
  function slide(root, value) {
    var right = $(root).find("[data-view]")[1], isSlider = root.dataset.mode === "slider";
    right.style.clipPath = isSlider ? "inset(0 0 0 " + value + "%)" : "";
    $(root).find("[data-compare-line]")[0].style.left = value + "%";
  }
  function pick(root) {
    var $picks = $(root).find("[data-pick]"), sizes = root.ovdSizes;
    var left = $picks[0].value, right = $picks[1].value;
    $($picks[1]).find("option").each(function () { this.disabled = sizes[this.value] !== sizes[left]; });
    if (sizes[right] !== sizes[left]) {
      right = $($picks[1]).find("option").not(":disabled").get().map(function (one) { return one.value; })
        .filter(function (one) { return one !== left; })[0] || left;
      $picks[1].value = right;
    }
    $(root).find("[data-view]").each(function (at) {
      this.firstElementChild.src = $($picks[at]).find("option:selected").data("url");
      this.firstElementChild.alt = $($picks[at]).find("option:selected").text();
      this.firstElementChild.onload = function () { show(root); };
    });
    fit(root);
  }
  function prepare(root) {
    var options = $(root).find("[data-pick]").first().find("option").get();
    root.ovdReady = true;
    Promise.all(options.map(function (one) { return sized(one.dataset.url); })).then(function (found) {
      var sizes = {}, pair = null;
      options.forEach(function (one, at) { if (found[at]) { sizes[one.value] = found[at]; } });
      function same(first, second) { return first !== second && sizes[first.value] && sizes[first.value] === sizes[second.value]; }
      [["inputs", "outputs"], ["outputs", "outputs"]].forEach(function (sides) {
        options.forEach(function (first) {
          options.forEach(function (second) {
            if (!pair && first.dataset.side === sides[0] && second.dataset.side === sides[1] && same(first, second)) { pair = [first.value, second.value]; }
          });
        });
      });
      if (!pair) { return; }
      root.ovdSizes = sizes;
      $(root).find("[data-pick]").each(function (at) {
        $(this).find("option").each(function () { if (!sizes[this.value]) { this.remove(); } });
        this.value = pair[at];
      });
      root.hidden = false;
      pick(root);
      slide(root, 50);
      root.dataset.ready = "1";
    });
  }
  $(document).on("change", "[data-pick]", function () { pick(this.closest("[data-compare]")); });
  $(document).on("input", "[data-compare-slide] input", function () { slide(this.closest("[data-compare]"), this.value); });
  $(document).on("click", "[data-compare-mode]", function () {
    var root = this.closest("[data-compare]");
    root.dataset.mode = this.dataset.compareMode;
    $(root).find("[data-compare-mode]").each(function () { this.setAttribute("aria-pressed", this.dataset.compareMode === root.dataset.mode ? "true" : "false"); });
    slide(root, $(root).find("[data-compare-slide] input").val());
    show(root);
  });
  function all(root) { $(root).find("[data-compare]").each(function () { if (!this.ovdReady) { prepare(this); } }); }
  $(document).on("ovd:swapped", function (event) { all(event.target); });
  window.addEventListener("resize", function () { $("[data-viewer]").each(function () { show(this); }); });
  all(document);
})(jQuery);
