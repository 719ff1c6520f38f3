/* Applications: the table by DataTables, its rows from the server; filters, order and page kept in the address; rows that
   change are changed in their place, nothing else moves; the chosen ones stay chosen from page to page. */
(function ($) {
  "use strict";
  var COLUMNS = [null, "name", "state", null, "release", "model", null, "next", null]; // what each is sorted by
  var USUAL = { q: "", show: "", organisation: "", learns: "", sort: "name", size: "50", page: "1" };
  var PAUSE = 1000; // ms between two looks at what changed
  var words = window.ovd.words;
  var $form = $("[data-bulk]"), chosen = new Set(), lastBox = null, timer = null, table = null;
  var turn = 0, isOrdered = false, isDrawing = false; // drawn as `asked` says; while its rows are on their way
  var isAsking = false, isStale = false, isTyping = false;

  /* The address and what it asks for */
  function read() {
    var query = new URLSearchParams(window.location.search), asked = {};
    Object.keys(USUAL).forEach(function (name) { asked[name] = query.get(name) || USUAL[name]; });
    return asked;
  }
  function address(asked) {
    var query = new URLSearchParams();
    Object.keys(USUAL).forEach(function (name) { if (String(asked[name]) !== USUAL[name]) { query.set(name, asked[name]); } });
    return query.size ? "?" + query : "";
  }
  var asked = read();
  function order() {
    var name = asked.sort.replace(/^-/, ""), column = COLUMNS.indexOf(name);
    return column > 0 ? [[column, asked.sort[0] === "-" ? "desc" : "asc"]] : [];
  }
  /* One step back is what was shown before one began to type. */
  function remember(kind) {
    var url = window.location.pathname + address(asked);
    if (url === window.location.pathname + window.location.search) { return; }
    window.history[kind === "typing" && isTyping ? "replaceState" : "pushState"](null, "", url);
    isTyping = kind === "typing";
  }
  function fill() {
    $("[data-filter] [name]").each(function () { if (this !== document.activeElement || this.tagName === "SELECT") { $(this).val(asked[this.name]); } });
  }

  /* The table */
  function cells(html) {
    return $("<tbody>").html(html).children("tr").get().map(function (row) {
      var cell = { DT_RowAttr: { "data-application": row.dataset.application } };
      $(row).children("td").each(function (place) { cell[place] = this.innerHTML; });
      return cell;
    });
  }
  function ask(data, done) {
    var isMine = isOrdered, by = data.order[0], mine = ++turn;
    isOrdered = false;
    isDrawing = true;
    if (!isMine) {
      asked.page = String(Math.floor(data.start / data.length) + 1);
      if (by && COLUMNS[by.column]) { asked.sort = (by.dir === "desc" ? "-" : "") + COLUMNS[by.column]; }
    }
    $.getJSON($form.data("rows") + address(asked)).done(function (answer) {
      if (mine !== turn) { return; } // something else was asked for meanwhile
      asked.page = String(answer.page);
      if (!isMine) { remember(); }
      fill();
      $("[data-changed]").prop("hidden", true);
      $("[data-nothing]").prop("hidden", answer.matching > 0);
      $form.toggleClass("ovd-nothing", !answer.matching);
      done({ recordsTotal: answer.matching, recordsFiltered: answer.matching, data: cells(answer.rows) });
      isDrawing = false;
      if (answer.matching && table.page() !== answer.page - 1) { // an address led beyond the pages that were known
        isOrdered = true;
        table.page(answer.page - 1).draw("page");
      }
    }).fail(function (answer) {
      if (mine !== turn) { return; }
      isDrawing = false;
      window.ovd.say(window.ovd.problem(answer), "danger");
    });
  }
  function make() {
    var heads = $("#fleet thead th").get(), labels = heads.map(function (head) { return $(head).text().trim(); });
    labels[0] = labels[1] = "";
    table = new window.DataTable("#fleet", {
      serverSide: true, deferLoading: Number($form.data("matching")), ajax: ask, autoWidth: false, orderMulti: false,
      pageLength: Number(asked.size), displayStart: (Number(asked.page) - 1) * Number(asked.size), order: order(),
      searching: false, lengthChange: false, processing: false, pagingType: "simple_numbers",
      layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging" },
      columns: COLUMNS.map(function (name, place) {
        return { data: place, orderable: name !== null, orderSequence: ["asc", "desc"], className: heads[place].className };
      }),
      createdRow: function (row) { dress(row, labels); },
      drawCallback: function () { window.ovd.times($("#fleet")[0]); tick(); },
      language: {
        info: words("{range} of {total}", { range: "_START_–_END_", total: "_TOTAL_" }), infoEmpty: "", infoFiltered: "", emptyTable: "", zeroRecords: "",
        paginate: { previous: words("Previous"), next: words("Next") },
        aria: { paginate: { previous: words("Previous"), next: words("Next") }, orderable: words(": press to sort by it"), orderableReverse: words(": press to turn the order"), orderableRemove: "" }
      }
    });
  }
  var CLASSES = ["ovd-choose", "ovd-main", "", "", "ovd-number", "ovd-number", "", "ovd-text", ""];
  function dress(row, labels) {
    $(row).children("td").each(function (place) {
      if (!this.dataset.label) { this.setAttribute("data-label", labels[place]); }
      if (CLASSES[place]) { this.classList.add(CLASSES[place]); }
    });
  }
  /* Draw what `asked` says, wherever that came from. */
  function draw(kind) {
    isOrdered = true;
    if (kind === "back") { isTyping = false; } else { remember(kind); }
    fill();
    table.page.len(Number(asked.size)).order(order()).page(Number(asked.page) - 1).draw("page");
  }
  function change(values, kind) {
    $.extend(asked, values, { page: "1" });
    draw(kind);
  }

  $(document).on("input", "[data-filter] [name=q]", function () {
    var text = this.value.trim();
    window.clearTimeout(timer);
    timer = window.setTimeout(function () { if (text !== asked.q) { change({ q: text }, "typing"); } }, 200);
  });
  $(document).on("change", "[data-filter] select", function () {
    var values = {};
    values[this.name] = this.value;
    change(values, "choice");
  });
  $(document).on("submit", "[data-filter]", function (event) {
    event.preventDefault();
    window.clearTimeout(timer);
    change({ q: $(this).find("[name=q]").val().trim() }, "choice");
  });
  $(document).on("click", "a[data-filter-link]", function (event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !table) { return; }
    event.preventDefault();
    window.history.pushState(null, "", this.getAttribute("href"));
    asked = read();
    draw("back");
    window.ovd.live.refreshAll();
  });
  window.addEventListener("popstate", function () {
    if (!table) { return; }
    asked = read();
    draw("back");
    window.ovd.live.refreshAll();
  });

  /* Alive: what is shown changes in its place; another order or other rows wait until nobody is looking at these. */
  function isDisturbing() {
    return $("#fleet:hover").length || $form[0].contains(document.activeElement) || chosen.size || window.scrollY > 200;
  }
  function look() {
    if (!table) { return; }
    if (isAsking || isDrawing || document.hidden) { isStale = true; return; }
    var ids = $("#fleet tbody tr[data-application]").map(function () { return this.dataset.application; }).get();
    var query = address(asked);
    isAsking = true;
    isStale = false;
    $.getJSON($form.data("rows") + query + (query ? "&" : "?") + "shown=" + (ids.join(",") || "0")).done(function (answer) {
      if (query !== address(asked) || isDrawing) { return; }
      $("<tbody>").html(answer.rows).children("tr").each(function () { put(this); });
      window.ovd.times($("#fleet")[0]);
      if (answer.ids.join(",") === ids.join(",")) { $("[data-changed]").prop("hidden", true); return; }
      if (isDisturbing()) { $("[data-changed]").prop("hidden", false); } else { draw("back"); }
    }).always(function () {
      window.setTimeout(function () { isAsking = false; if (isStale) { look(); } }, PAUSE);
    });
  }
  function put(fresh) {
    var $old = $("#fleet tbody tr[data-application=" + fresh.dataset.application + "]").children("td");
    $(fresh).children("td").each(function (place) {
      var old = $old[place];
      if (place === 0 || !old || old.ovdShown === this.innerHTML || old.innerHTML === this.innerHTML) { return; }
      var focus = old.contains(document.activeElement);
      old.innerHTML = this.innerHTML;
      old.ovdShown = this.innerHTML;
      if (focus) { $(old).find("a").first().trigger("focus"); }
    });
  }
  $(document).on("ovd:notice", function (event, about) { if (about.indexOf("applications") >= 0) { look(); } });
  $(document).on("ovd:refresh", look);
  document.addEventListener("visibilitychange", function () { if (!document.hidden && isStale) { look(); } });
  $(document).on("click", "[data-show-changed]", function () { draw("back"); });

  /* Choosing */
  function boxes() { return $("#fleet tbody input[name=id]"); }
  function tick() {
    boxes().each(function () {
      this.checked = chosen.has(this.value);
      $(this).closest("tr").toggleClass("is-chosen", this.checked);
    });
    var all = boxes().length, here = boxes().filter(":checked").length;
    $("[data-choose-all]").prop("checked", all > 0 && here === all).prop("indeterminate", here > 0 && here < all);
    $("[data-bulk-bar]").prop("hidden", !chosen.size);
    $("[data-bulk-count]").text(chosen.size ? words.count("{count} chosen", "{count} chosen", chosen.size) : "");
  }
  function choose(box) { if (box.checked) { chosen.add(box.value); } else { chosen.delete(box.value); } }
  $(document).on("click", "#fleet tbody input[name=id]", function (event) {
    var all = boxes().get(), here = all.indexOf(this), there = lastBox ? all.indexOf(lastBox) : -1, isChecked = this.checked;
    if (event.shiftKey && there >= 0) {
      all.slice(Math.min(here, there), Math.max(here, there) + 1).forEach(function (box) { box.checked = isChecked; choose(box); });
    }
    choose(this);
    lastBox = this;
    tick();
  });
  $(document).on("change", "[data-choose-all]", function () {
    var isChecked = this.checked;
    boxes().each(function () { this.checked = isChecked; choose(this); });
    tick();
  });
  $(document).on("click", "[data-bulk-none]", function () {
    chosen.clear();
    tick();
    $("[data-choose-all]").trigger("focus");
  });

  /* Many at once: first what it will do, then what became of each. */
  function tell(html) {
    $("[data-bulk-said]").html(html);
    var dialog = $("#bulk-dialog")[0];
    if (!dialog.open) { dialog.showModal(); }
  }
  function told(answer) {
    var dialog = $("#bulk-dialog")[0];
    if (dialog.open) { dialog.close(); }
    window.ovd.say(window.ovd.problem(answer), "danger");
  }
  $(document).on("submit", "[data-bulk]", function (event) {
    event.preventDefault();
    var action = event.originalEvent.submitter && event.originalEvent.submitter.value;
    if (!action || !chosen.size) { return; }
    var query = new URLSearchParams({ action: action });
    chosen.forEach(function (id) { query.append("id", id); });
    $.ajax({ url: this.getAttribute("action") + "?" + query, headers: { "X-Fragment": "plan" }, dataType: "html" }).done(tell).fail(told);
  });
  $(document).on("submit", "[data-bulk-do]", function (event) {
    event.preventDefault();
    var $buttons = $(this).find("button[type=submit]").prop("disabled", true);
    $.ajax({ url: this.getAttribute("action"), method: "POST", data: $(this).serialize(), dataType: "html",
      headers: { "X-Fragment": "done", "X-CSRFToken": window.ovd.csrf() } })
      .done(function (html) { chosen.clear(); tell(html); tick(); look(); $("#bulk-dialog [data-dialog-close]").trigger("focus"); })
      .fail(told).always(function () { $buttons.prop("disabled", false); });
  });
  $(document).on("click", "a[data-dialog-close]", function (event) { event.preventDefault(); });

  $(function () {
    if ($("#fleet").length) { make(); tick(); }
  });
})(jQuery);
