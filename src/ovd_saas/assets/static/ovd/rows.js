/* Rows: tables of values that sort and search; the library for it is fetched by the first touch. */
(function ($) {
  "use strict";

  function cell(value) {
    if (value === null || value === undefined) { return "–"; }
    return typeof value === "number" ? window.ovd.kinds.short(value) : $("<i>").text(String(value)).html();
  }
  function rows(box) {
    return box.dataset.url ? fetch(box.dataset.url).then(function (answer) { return answer.json(); }).then(function (body) { return body.data; })
      : Promise.resolve(null);
  }
  function table(box) {
    box.ovdTable = box.ovdTable || Promise.all([window.ovd.kinds.script(box.dataset.script), rows(box)]).then(function (found) {
      var data = found[1], words = box.dataset, $table = $(box).find("table");
      $("<link rel='stylesheet'>").attr("href", words.style).appendTo(document.head);
      $table.find("[data-rows-sort]").each(function () { $(this).parent().text(this.textContent); });
      var options = { autoWidth: false, order: [], pageLength: 25, lengthChange: false, deferRender: true,
        layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging" },
        language: { info: words.info, infoEmpty: words.none, infoFiltered: words.filtered, zeroRecords: words.none,
          paginate: { next: words.next, previous: words.previous, first: words.first, last: words.last } } };
      if (data) {
        options.data = data;
        options.columns = $table.find("th").map(function () { return { render: { display: cell } }; }).get();
        $table.find("tbody").empty();
        $(box).parent().find("[data-rows-hidden]").remove();
      }
      $(box).find(".kind-table").addClass("is-sortable");
      return new window.DataTable($table[0], options);
    });
    return box.ovdTable;
  }
  $(document).on("click", "[data-rows-sort]", function () {
    var column = Number(this.dataset.rowsSort), box = this.closest("[data-rows]");
    table(box).then(function (made) {
      made.order([column, "asc"]).draw();
      $(made.column(column).header()).find("[tabindex], .dt-column-order").addBack("[tabindex]").first().trigger("focus");
    });
  });
  var typing = null;
  $(document).on("input", "[data-rows-search]", function () {
    var box = this.closest("[data-rows]"), input = this;
    window.clearTimeout(typing);
    typing = window.setTimeout(function () { table(box).then(function (made) { made.search(input.value).draw(); }); }, 200);
  });
})(jQuery);
