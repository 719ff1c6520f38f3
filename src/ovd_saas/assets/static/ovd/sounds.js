/* Sounds: the wave form of a recording above its player; a click in it goes there. */
(function ($) {
  "use strict";
  var MOST = 20 * 1024 * 1024; // bytes: decoding more would hold the page up

  function draw(box) {
    var canvas = $(box).find("[data-wave]")[0], audio = $(box).find("audio")[0], peaks = box.ovdPeaks;
    if (!peaks) { return; }
    canvas.hidden = false;
    canvas.width = canvas.clientWidth * window.devicePixelRatio;
    canvas.height = canvas.clientHeight * window.devicePixelRatio;
    var colours = window.ovd.kinds.palette(), pen = canvas.getContext("2d"), step = canvas.width / peaks.length;
    var heard = audio.duration ? audio.currentTime / audio.duration : 0;
    peaks.forEach(function (peak, at) {
      var high = Math.max(1, peak * (canvas.height - 4));
      pen.fillStyle = at / peaks.length < heard ? colours.lines[0] : colours.quiet;
      pen.fillRect(at * step, (canvas.height - high) / 2, Math.max(1, step - 1), high);
    });
  }
  function peaksOf(sound, count) {
    var values = sound.getChannelData(0), step = Math.max(1, Math.floor(values.length / count)), found = [], most = 0;
    for (var at = 0; at + step <= values.length; at += step) {
      var peak = 0;
      for (var one = at; one < at + step; one += 1 + (step >> 8)) { peak = Math.max(peak, Math.abs(values[one])); }
      found.push(peak);
      most = Math.max(most, peak);
    }
    return found.map(function (peak) { return most ? peak / most : 0; });
  }
  function prepare(box) {
    box.ovdReady = true;
    if (Number(box.dataset.size) > MOST || !window.AudioContext) { return; }
    var context = new OfflineAudioContext(1, 1, 44100);
    fetch($(box).find("audio")[0].src).then(function (answer) { return answer.arrayBuffer(); })
      .then(function (bytes) { return context.decodeAudioData(bytes); })
      .then(function (sound) { box.ovdPeaks = peaksOf(sound, 240); draw(box); })
      .catch(function () { /* the player says what it thinks of it */ });
    $(box).find("audio").on("timeupdate seeked ended", function () { draw(box); });
  }
  $(document).on("click", "[data-wave]", function (event) {
    var audio = $(this).closest("[data-sound]").find("audio")[0], box = this.getBoundingClientRect();
    if (audio.duration) { audio.currentTime = audio.duration * (event.clientX - box.left) / box.width; }
  });
  function all(root) { $(root).find("[data-sound]").each(function () { if (!this.ovdReady) { prepare(this); } }); }
  document.addEventListener("ovd:theme", function () { $("[data-sound]").each(function () { draw(this); }); });
  $(document).on("ovd:swapped", function (event) { all(event.target); });
  all(document);
})(jQuery);
