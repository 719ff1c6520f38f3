/* Inputs: the widgets of each kind that a form asks for, and what they hold as JSON and files. */
(function ($) {
  "use strict";
  var MOST = 2000; // points of a preview

  /* Sliders and their numbers say the same. */
  $(document).on("input", "[data-slider]", function () { $("#" + this.dataset.slider).val(this.value).trigger("change"); });
  $(document).on("input", "input[type=number]", function () { $("[data-slider='" + this.id + "']").val(this.value); });

  /* Files: chosen, dropped or pasted. */
  function preview(field, file) {
    var $box = $(field).find("[data-file-preview]").empty();
    $(field).find("[data-origin]").remove();
    if (/^image\/(png|jpeg|gif|webp|bmp)$/.test(file.type)) {
      var url = URL.createObjectURL(file);
      $("<img>").attr({ src: url, alt: file.name }).on("load", function () {
        $box.find("[data-size]").text(" · " + this.naturalWidth + " × " + this.naturalHeight + " pixels");
        URL.revokeObjectURL(url);
      }).appendTo($box);
    }
    $("<div class='text-secondary'>").text(file.name + " · " + Math.max(1, Math.round(file.size / 1024)) + " KiB")
      .append("<span data-size></span>").appendTo($box);
  }
  function take(field, file) {
    var input = $(field).find("input[type=file]")[0], list = new DataTransfer();
    list.items.add(file);
    input.files = list.files;
    $(input).trigger("change");
  }
  $(document).on("change", "[data-drop] input[type=file]", function () {
    if (this.files.length) { preview($(this).closest("[data-field]"), this.files[0]); }
  });
  $(document).on("dragover", "[data-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-drop]", function (event) {
    event.preventDefault();
    var files = event.originalEvent.dataTransfer.files;
    if (files.length) { take($(this).closest("[data-field]"), files[0]); }
  });
  document.addEventListener("paste", function (event) {
    var file = event.clipboardData && event.clipboardData.files[0];
    var field = file && $("[data-kind=image][data-field]")[0];
    if (field && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); take(field, file); }
  });

  /* Series and tables: typed, pasted, or read from a CSV file into the box. */
  $(document).on("change", "[data-csv]", function () {
    var input = this, $box = $("#" + this.dataset.csv);
    if (!input.files.length) { return; }
    input.files[0].text().then(function (text) { $box.val(text.replace(/^\uFEFF/, "")).trigger("input"); input.value = ""; });
  });
  function isNumber(text) { return text.trim() !== "" && isFinite(Number(text)); }
  function mark(line) {
    return [",", ";", "\t"].reduce(function (best, one) { return line.split(one).length > line.split(best).length ? one : best; }, ",");
  }
  /* Typed numbers as CSV with the header that a series needs (as assets/form.py does). */
  function headed(text) {
    var lines = text.trim().split(/\r?\n/).filter(function (line) { return line.trim(); });
    if (!lines.length || /^\s*[[{]/.test(text)) { return text; }
    var words = lines[0].split(/[,;\s]+/).filter(Boolean);
    if (lines.length === 1 && words.every(isNumber)) { lines = words; }
    var cells = lines[0].split(mark(lines[0]));
    if (!isNumber(cells[cells.length - 1])) { return lines.join("\n"); }
    return [cells.length === 2 ? "time" + mark(lines[0]) + "value" : "value"].concat(lines).join("\n");
  }
  function points(text) {
    if (/^\s*[[{]/.test(text)) {
      try {
        var value = JSON.parse(text), times = value.times || [], numbers = value.values || value;
        return numbers.map(function (one, at) { return [times[at] || at + 1, one]; });
      } catch (error) { return []; }
    }
    return headed(text).split("\n").slice(1).map(function (line, at) {
      var cells = line.split(mark(line)), number = cells[cells.length - 1];
      return [cells.length > 1 ? cells[0].trim() : at + 1, isNumber(number) ? Number(number) : null];
    });
  }
  function draw(box) {
    var $field = $(box).closest("[data-field]"), line = points(box.value), $preview = $field.find("[data-typed-preview]");
    var count = line.filter(function (point) { return point[1] !== null; }).length;
    if (box.dataset.typed !== "series") {
      var rows = box.value.trim() ? box.value.trim().split("\n").length - 1 : 0;
      if (rows > 0) { $field.find("[data-typed-words]").text(rows + (rows === 1 ? " row." : " rows.")); }
      return;
    }
    $preview.prop("hidden", count < 2);
    if (box.value.trim()) { $field.find("[data-typed-words]").text(count + (count === 1 ? " value." : " values.")); }
    if (count < 2) { return; }
    var step = Math.ceil(line.length / MOST);
    var timed = typeof line[0][0] === "string";
    var chart = $preview.find(".kind-chart")[0];
    chart.dataset.chart = JSON.stringify({ unit: box.dataset.unit, timed: timed, lines: [{ name: box.dataset.label, role: "value",
      points: line.filter(function (point, at) { return at % step === 0; }) }] });
    window.ovd.kinds.draw(chart);
  }
  var typing = null;
  $(document).on("input", "[data-typed]", function () {
    var box = this;
    window.clearTimeout(typing);
    typing = window.setTimeout(function () { draw(box); }, 250);
  });
  $(function () { $("[data-typed]").each(function () { draw(this); }); });

  /* What one field holds: {value}, {file, name}, {url, name} or nothing. */
  function held(field) {
    var $field = $(field), kind = field.dataset.kind, name = field.dataset.field;
    if (kind === "image" || kind === "file") {
      var file = $field.find("input[type=file]")[0].files[0], $origin = $field.find("[data-origin]");
      if (file) { return { file: file, name: file.name }; }
      return $origin.length ? { url: $origin.data("url"), name: $origin.data("file-name"), type: $origin.data("media-type") } : null;
    }
    if (kind === "series" || kind === "table") {
      var text = $field.find("textarea").val();
      if (!text.trim()) { return null; }
      if (/^\s*[[{]/.test(text)) { try { return { value: JSON.parse(text) }; } catch (error) { /* sent as it is: refused with the reason */ } }
      return { file: new Blob([kind === "series" ? headed(text) : text], { type: "text/csv" }), name: name + ".csv", text: text };
    }
    if (kind === "boolean") { return { value: $field.find("input")[0].checked }; }
    var box = kind === "choice" ? $field.find("select, input:checked")[0] : $field.find("[name='" + name + "']")[0];
    var typed = box ? box.value : "";
    if (typed === "" && (kind !== "text" || !("optional" in field.dataset) || !field.dataset.default)) { return null; }
    if (kind === "text") { return { value: typed }; }
    if (kind === "choice") { return { value: JSON.parse(typed) }; }
    return { value: isNumber(typed) ? Number(typed) : typed };
  }
  window.ovd.inputs = { held: held };
})(jQuery);
