/* Actions: forms that change something post once, say what happened and refresh the page's parts; copy; dialogs. */
(function ($) {
  "use strict";
  var GUARD = 700; // ms after an answer in which a second click is taken for the rest of a double click
  var busyUntil = 0;
  var words = window.ovd.words;

  function csrf() { return $("meta[name=csrf-token]").attr("content"); }
  function say(text, tone, undo) {
    var $message = $("<div class='alert ovd-message' role='alert'>").addClass("alert-" + tone);
    $("<div class='ovd-message-text'>").text(text).appendTo($message);
    if (undo) {
      $("<form method='post' data-action>").attr("action", undo.url)
        .append($("<input type='hidden' name='action'>").val(undo.action))
        .append($("<button type='submit' class='btn btn-sm'>").text(words("Undo")))
        .appendTo($message);
    }
    $("<button type='button' class='btn-close'>").attr("aria-label", words("Close")).appendTo($message);
    $("[data-messages]").empty().append($message);
  }
  function problem(answer) {
    var body = answer.responseJSON;
    if (body && body.detail) { return body.detail; }
    return answer.status ? words("That did not work ({status}). Reload the page and try again.", { status: String(answer.status) })
      : words("The platform does not answer. Check your connection and try again.");
  }

  $(document).on("submit", "form[data-action]", function (event) {
    event.preventDefault();
    var isElsewhere = $(this).closest("[data-messages]").length > 0; // no second click lands there by accident
    if (busyUntil === Infinity || (Date.now() < busyUntil && !isElsewhere)) { return; }
    busyUntil = Infinity;
    $(document.body).attr("data-acting", "");
    var form = this, $buttons = $("form[data-action] button");
    $buttons.attr("aria-disabled", "true");
    $(form).attr("data-busy", "");
    $.ajax({ url: form.getAttribute("action"), method: "POST", data: $(form).serialize(), dataType: "json",
      headers: { "X-CSRFToken": csrf(), "Accept": "application/json" } })
      .done(function (done) {
        var dialog = form.closest("dialog");
        if (dialog) { dialog.close(); }
        if (done.location) { window.location.assign(done.location); return; }
        if (done.message) { say(done.message, "success", done.undo); }
      })
      .fail(function (answer) {
        var dialog = form.closest("dialog");
        if (dialog) { dialog.close(); }
        say(problem(answer), "danger");
      })
      .always(function () {
        window.ovd.live.refreshAll();
        window.setTimeout(function () {
          busyUntil = 0;
          $(document.body).removeAttr("data-acting");
          $("form[data-action] button").removeAttr("aria-disabled");
          $("form[data-action]").removeAttr("data-busy");
        }, GUARD);
        busyUntil = Date.now() + GUARD;
      });
  });

  $(document).on("click", "[data-messages] .btn-close", function () { $(this).closest(".alert").remove(); });
  $(document).on("click", "[data-dialog]", function () {
    if (Date.now() < busyUntil) { return; }
    document.getElementById(this.dataset.dialog).showModal();
  });
  $(document).on("click", "[data-dialog-close]", function () { this.closest("dialog").close(); });
  $(document).on("input", "[data-must-equal]", function () {
    $(this).closest("form").find("[data-when-equal]").prop("disabled", this.value.trim() !== this.dataset.mustEqual);
  });

  function copied($button) {
    var $words = $button.find("[data-copy-words]"), before = $words.text();
    $words.text(words("Copied"));
    $button.addClass("is-copied");
    window.setTimeout(function () { $words.text(before); $button.removeClass("is-copied"); }, 1500);
  }
  $(document).on("click", "[data-copy]", function () {
    var $button = $(this), text = this.dataset.copyText || $(this.dataset.copy).text() || $(this.dataset.copy).val();
    if (navigator.clipboard) { navigator.clipboard.writeText(text).then(function () { copied($button); }); return; }
    var $box = $("<textarea class='visually-hidden'>").val(text).appendTo(document.body);
    $box[0].select();
    document.execCommand("copy");
    $box.remove();
    copied($button);
  });

  $(document).on("click", function (event) {
    $("details.ovd-menu[open]").each(function () { if (!this.contains(event.target)) { this.removeAttribute("open"); } });
  });
  $(document).on("keydown", function (event) {
    if (event.key === "Escape") { $("details.ovd-menu[open]").removeAttr("open").find("summary").trigger("focus"); }
  });
  window.ovd.csrf = csrf;
  window.ovd.say = say;
  window.ovd.problem = problem;
})(jQuery);
