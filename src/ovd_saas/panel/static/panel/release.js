/* Release: the build log grows while it is built; an archive is chosen or dropped, and sent with its progress. */
(function ($) {
  "use strict";
  var isReading = false, again = false, isSending = false;

  /* Only what is new of the log is fetched, when the head of the page says that there is more. */
  function tail() {
    var box = $("[data-tail]")[0];
    if (!box) { return; }
    if (isReading) { again = true; return; }
    isReading = true;
    again = false;
    $.ajax({ url: box.dataset.tail, data: { after: box.dataset.length }, dataType: "json" }).done(function (piece) {
      var known = Number(box.dataset.length), atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
      if (piece.length < known) { box.textContent = ""; box.dataset.length = 0; again = true; return; } // it is built anew
      box.appendChild(document.createTextNode(piece.text));
      box.dataset.length = known + piece.text.length;
      again = again || Number(box.dataset.length) < piece.length && piece.text.length > 0;
      if (atEnd) { box.scrollTop = box.scrollHeight; }
    }).always(function () {
      isReading = false;
      if (again) { tail(); }
    });
  }
  $(document).on("ovd:swapped", "[data-fragment=head]", tail);
  $(function () {
    var box = $("[data-tail]")[0];
    if (box) { box.scrollTop = box.scrollHeight; }
  });
  $(document).on("change", "[data-submit-on-change]", function () { this.form.submit(); });

  /* An archive. */
  function form() { return $("[data-push]"); }
  function words(size) {
    return size < 1048576 ? Math.max(1, Math.round(size / 1024)) + " KiB" : (size / 1048576).toFixed(1) + " MiB";
  }
  function tell(text) {
    $("[data-push-answer]").empty().append($("<div class='alert alert-danger mb-0'>").append($("<div>").text(text)));
  }
  function sending(isOn) {
    isSending = isOn;
    $("[data-push-progress]").prop("hidden", !isOn).attr("value", 0);
    $("[data-push-button]").attr("aria-disabled", isOn ? "true" : null);
    if (isOn) { $("[data-push-words]").data("usual", $("[data-push-words]").text()).text(form().data("word-sending")); } else {
      $("[data-push-words]").text($("[data-push-words]").data("usual"));
    }
  }
  $(document).on("change", "[data-push] input[type=file]", function () {
    if (this.files.length) { $("[data-push-chosen]").text(this.files[0].name + " · " + words(this.files[0].size)); }
    $("[data-push-answer]").empty();
  });
  $(document).on("dragover", "[data-push-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-push-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-push-drop]", function (event) {
    event.preventDefault();
    var files = event.originalEvent.dataTransfer.files;
    if (files.length) { $(this).find("input[type=file]").prop("files", files).trigger("change"); }
  });
  $(document).on("submit", "[data-push]", function (event) {
    event.preventDefault();
    if (isSending) { return; }
    var request = new XMLHttpRequest();
    sending(true);
    request.open("POST", this.getAttribute("action"));
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", window.ovd.csrf());
    request.upload.onprogress = function (event) {
      if (event.loaded < event.total) { $("[data-push-progress]").attr("value", event.loaded / event.total); return; }
      $("[data-push-progress]").removeAttr("value");
      $("[data-push-words]").text(form().data("word-reading"));
    };
    request.onload = function () {
      var body = {};
      try { body = JSON.parse(request.responseText); } catch (error) { /* said by its status below */ }
      if (request.status === 200 && body.location) { window.location.assign(body.location); return; }
      sending(false);
      tell(body.detail || window.ovd.problem(request));
    };
    request.onerror = function () { sending(false); tell(form().data("word-broken")); };
    request.send(new FormData(this));
  });
})(jQuery);
