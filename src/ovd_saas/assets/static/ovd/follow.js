/* Follow: an execution's own events while it waits and runs; what they say appears at once, then the page is refreshed. */
(function ($) {
  "use strict";
  var LOOK = 5000; // ms: look even when no event comes, so that a page never stays behind
  var $root, source = null, isLogFresh = false, timer = null;

  function read(event) { try { return JSON.parse(event.data); } catch (error) { return {}; } }
  function progress(body) {
    var known = typeof body.fraction === "number";
    var $bar = $root.find("[data-progress]");
    if (known) { $bar.attr("value", body.fraction); } else { $bar.removeAttr("value"); }
    $root.find("[data-progress-number]").text(known ? Math.round(body.fraction * 100) + " %" : "");
    if (body.message) { $root.find("[data-progress-words]").text(body.message); }
  }
  function log(body) {
    var $log = $root.find("[data-log]"), box = $log[0];
    if (!box) { return; }
    var atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
    if (!isLogFresh) { box.textContent = ""; isLogFresh = true; } // the stream tells everything from the start
    box.appendChild(document.createTextNode(body.text || ""));
    if (atEnd) { box.scrollTop = box.scrollHeight; }
  }
  function parts(names) {
    $root.find("[data-fragment]").filter(function () { return names.indexOf(this.dataset.fragment) >= 0; })
      .each(function () { window.ovd.live.refresh(this); });
  }
  function end() {
    window.clearInterval(timer);
    if (source) { source.close(); source = null; }
    $root.removeAttr("data-follow");
    window.ovd.live.release();
    window.ovd.live.refreshAll();
  }
  function follow() {
    source = new EventSource($root.data("follow"));
    source.addEventListener("status", function () { parts(["head"]); });
    source.addEventListener("progress", function (event) { progress(read(event)); });
    source.addEventListener("log", function (event) { log(read(event)); });
    source.addEventListener("output", function () { parts(["results"]); });
    source.addEventListener("done", end);
  }
  $(function () {
    $root = $("[data-follow]").first();
    if (!$root.length) { return; }
    window.ovd.live.hold();
    follow();
    timer = window.setInterval(function () { parts(["head", "results"]); }, LOOK);
  });
  /* The head says that it is over: whatever became of the events, stop following. */
  $(document).on("ovd:swapped", "[data-fragment=head]", function () {
    if ($root && $root.is("[data-follow]") && !$(this).find("[data-progress]").length) { end(); }
  });
})(jQuery);
