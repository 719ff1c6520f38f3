/* Feed: sends a file of samples to the intake and says what became of it; what is wrong, line by line. */
(function ($) {
  "use strict";
  var TYPES = { jsonl: "application/x-ndjson", ndjson: "application/x-ndjson", json: "application/json", csv: "text/csv",
    parquet: "application/vnd.apache.parquet" };
  var SHOWN = 50; // errors
  var isSending = false;

  function chosen() { return $("#feed-file")[0].files[0]; }
  function extension(name) { return name.split(".").pop().toLowerCase(); }
  function words(size) {
    return size < 1024 ? size + " B" : size < 1048576 ? Math.round(size / 1024) + " KiB" : (size / 1048576).toFixed(1) + " MiB";
  }
  function show() {
    var file = chosen(), known = file && TYPES[extension(file.name)];
    $("[data-feed-chosen]").text(!file ? ".jsonl, .csv or .parquet" : file.name + " · " + words(file.size));
    $("[data-feed-button]").prop("disabled", !known);
    $("[data-feed-answer]").empty();
    if (file && !known) { tell("danger", "“" + file.name + "” is neither .jsonl, .csv nor .parquet, so its samples cannot be read. Choose another file."); }
  }
  function tell(tone, text) {
    return $("<div class='alert mb-0'>").addClass("alert-" + tone).append($("<div>").text(text)).appendTo($("[data-feed-answer]").empty());
  }
  function taken(batch, isNew) {
    var said = isNew ? " with " + batch.samples + (batch.samples === 1 ? " sample" : " samples") + " is in."
      : " has exactly these samples already: nothing was stored twice.";
    var $said = tell("success", "");
    $said.find("div").append($("<a class='alert-link'>").attr("href", $("[data-feed]").data("batches") + batch.number + "/").text("Batch " + batch.number), document.createTextNode(said));
    $("#feed-file").val("");
    $("[data-feed-chosen]").text(".jsonl, .csv or .parquet");
  }
  function refused(body, answer) {
    var errors = body.errors || [];
    var $box = tell("danger", body.detail || window.ovd.problem(answer));
    $box.find("div").first().append($("<strong class='d-block'>").text("Nothing was stored."));
    if (!errors.length) { return; }
    var $rows = $("<tbody>");
    errors.slice(0, SHOWN).forEach(function (one) {
      var where = /^(line|row|sample) (\d+)(?::\s*(.*))?$/.exec(one.field || "");
      $("<tr>").append($("<td class='ovd-number'>").text(where ? where[2] : ""), $("<td>").append($("<code>").text(where ? where[3] || "" : one.field || "")), $("<td>").text(one.message)).appendTo($rows);
    });
    $("<div class='kind-table mt-3' tabindex='0' role='region' aria-label='What is wrong'>").append(
      $("<table class='table table-sm ovd-errors'>").append("<thead><tr><th scope='col'>Line</th><th scope='col'>Field</th><th scope='col'>What is wrong</th></tr></thead>", $rows)
    ).appendTo($("[data-feed-answer]"));
    if (errors.length > SHOWN) {
      $("<p class='text-secondary mt-2 mb-0'>").text("The first " + SHOWN + "; correct these and send it again to see the rest.").appendTo($("[data-feed-answer]"));
    }
  }
  function sending(isOn) {
    isSending = isOn;
    $("[data-feed-button]").prop("disabled", isOn || !chosen()).find("[data-feed-words]").text(isOn ? "Sending…" : "Send");
    $("[data-feed-progress]").prop("hidden", !isOn).attr("value", 0);
  }
  function send(file) {
    var request = new XMLHttpRequest();
    request.open("POST", $("[data-feed]").data("api"));
    request.setRequestHeader("Content-Type", TYPES[extension(file.name)]);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", window.ovd.csrf());
    request.upload.onprogress = function (event) {
      if (event.loaded < event.total) { $("[data-feed-progress]").attr("value", event.loaded / event.total); return; }
      $("[data-feed-progress]").removeAttr("value"); // all sent: it is being checked
      $("[data-feed-words]").text("Checking…");
    };
    request.onload = function () {
      var body = {};
      try { body = JSON.parse(request.responseText); } catch (error) { /* said by its status below */ }
      sending(false);
      if (request.status === 200 || request.status === 201) { taken(body, request.status === 201); } else { refused(body, request); }
      window.ovd.live.refreshAll();
    };
    request.onerror = function () {
      sending(false);
      tell("danger", "The connection broke, so nothing was stored. Send it again: the same file is never stored twice.");
    };
    request.send(file);
  }

  $(document).on("change", "#feed-file", show);
  $(document).on("dragover", "[data-feed-drop]", function (event) { event.preventDefault(); $(this).addClass("is-over"); });
  $(document).on("dragleave drop", "[data-feed-drop]", function () { $(this).removeClass("is-over"); });
  $(document).on("drop", "[data-feed-drop]", function (event) {
    event.preventDefault();
    if (event.originalEvent.dataTransfer.files.length) { $("#feed-file")[0].files = event.originalEvent.dataTransfer.files; show(); }
  });
  $(document).on("submit", "[data-feed]", function (event) {
    event.preventDefault();
    if (isSending || !chosen()) { return; }
    $("[data-feed-answer]").empty();
    sending(true);
    send(chosen());
  });
})(jQuery);
