/* Samples: many files at once, one after the other; their order by dragging. */
(function ($) {
  "use strict";
  var isSending = false, dragged = null;

  function tell(tone, text) {
    var $box = $("[data-samples-answer] .alert-" + tone);
    if (!$box.length) { $box = $("<div class='alert mb-2'>").addClass("alert-" + tone).appendTo("[data-samples-answer]"); }
    $("<div>").text(text).appendTo($box);
  }
  $(document).on("change", "[data-samples-upload] input[type=file]", function () {
    $("[data-samples-chosen]").text(Array.from(this.files).slice(0, 5).map(function (file) { return file.name; }).join(", ") + (this.files.length > 5 ? " … (" + this.files.length + ")" : ""));
    $("[data-samples-answer]").empty();
  });
  $(document).on("dragover", "[data-samples-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-samples-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-samples-drop]", function (event) {
    event.preventDefault();
    var files = event.originalEvent.dataTransfer.files;
    if (files.length) { $(this).find("input[type=file]").prop("files", files).trigger("change"); }
  });
  function one(form, file) {
    var body = new FormData(form);
    body.delete("files");
    body.append("files", file, file.name);
    return $.ajax({ url: form.getAttribute("action"), method: "POST", data: body, contentType: false, processData: false, dataType: "json",
      headers: { "X-CSRFToken": window.ovd.csrf(), "Accept": "application/json" } });
  }
  $(document).on("submit", "[data-samples-upload]", function (event) {
    event.preventDefault();
    var form = this, input = $(form).find("input[type=file]")[0], files = Array.from(input.files), made = 0;
    if (isSending || !files.length) { return; }
    isSending = true;
    $("[data-samples-answer]").empty();
    $("[data-samples-button]").attr("aria-disabled", "true");
    $("[data-samples-progress]").prop("hidden", false).attr("value", 0);
    var usual = $("[data-samples-words]").text();
    $("[data-samples-words]").text(form.dataset.wordSending.replace("{n}", files.length));
    function refused(body) { (body.refused || []).forEach(function (each) { tell("danger", each.name + ": " + each.why); }); }
    function next(at) {
      $("[data-samples-progress]").attr("value", at / files.length);
      if (at === files.length) { end(); return; }
      one(form, files[at]).done(function (body) { made += body.made; refused(body); next(at + 1); }).fail(function (answer) {
        if (!answer.status) { tell("danger", form.dataset.wordBroken); end(); return; }
        if (answer.responseJSON && answer.responseJSON.refused) { refused(answer.responseJSON); } else { tell("danger", files[at].name + ": " + window.ovd.problem(answer)); }
        next(at + 1);
      });
    }
    function end() {
      isSending = false;
      if (made) { tell("success", "+" + made); }
      input.value = "";
      $("[data-samples-button]").removeAttr("aria-disabled");
      $("[data-samples-words]").text(usual);
      $("[data-samples-progress]").prop("hidden", true);
      window.ovd.live.refreshAll();
    }
    next(0);
  });

  /* Order: dragged here, and by the buttons of each row for the keyboard. */
  $(document).on("dragstart", "[data-order] [data-sample-row]", function (event) {
    dragged = this;
    event.originalEvent.dataTransfer.effectAllowed = "move";
    event.originalEvent.dataTransfer.setData("text/plain", this.dataset.sampleRow);
    $(this).addClass("is-dragged");
  });
  $(document).on("dragover", "[data-order] [data-sample-row]", function (event) {
    if (!dragged || dragged === this || dragged.parentNode !== this.parentNode) { return; }
    event.preventDefault();
    var box = this.getBoundingClientRect(), isBelow = event.originalEvent.clientY > box.top + box.height / 2;
    this.parentNode.insertBefore(dragged, isBelow ? this.nextSibling : this);
  });
  $(document).on("drop", "[data-order]", function (event) { event.preventDefault(); });
  $(document).on("dragend", "[data-order] [data-sample-row]", function () {
    var list = this.parentNode;
    $(this).removeClass("is-dragged");
    if (!dragged) { return; }
    dragged = null;
    var ids = $(list).find("[data-sample-row]").map(function () { return this.dataset.sampleRow; }).get();
    $.ajax({ url: list.dataset.order, method: "POST", traditional: true, data: { id: ids }, dataType: "json",
      headers: { "X-CSRFToken": window.ovd.csrf(), "Accept": "application/json" } })
      .done(function (done) { window.ovd.say(done.message, "success"); })
      .fail(function (answer) { window.ovd.say(window.ovd.problem(answer), "danger"); })
      .always(function () { window.ovd.live.refreshAll(); });
  });
})(jQuery);
