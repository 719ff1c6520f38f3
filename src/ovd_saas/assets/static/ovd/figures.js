/* Figures: what pages draw about learning (assets/figures.py): data received, curves, verdicts, versions, drift. */
(function () {
  "use strict";
  var DAY = 86400000, words = window.ovd.words;

  function short(value) { return window.ovd.kinds.short(value); }
  function moment(text) { return new Date(text).toLocaleString(window.ovd.words.language, { dateStyle: "medium", timeStyle: "short" }); }
  function isNarrow(box) { return box.clientWidth < 520; }
  function base(colours) {
    return {
      animation: false, textStyle: { color: colours.text, fontFamily: window.getComputedStyle(document.body).fontFamily },
      tooltip: { renderMode: "richText", backgroundColor: colours.back, borderColor: colours.grid, confine: true,
        textStyle: { color: colours.text, fontSize: 12 } },
      grid: { left: 8, right: 16, top: 28, bottom: 8, containLabel: true }
    };
  }
  function legend(colours, names) {
    return { show: names.length > 1, top: 0, left: 0, data: names, textStyle: { color: colours.text }, type: "scroll",
      pageTextStyle: { color: colours.quiet }, itemWidth: 14 };
  }
  function values(colours, more) {
    return Object.assign({ type: "value", axisLabel: { color: colours.quiet, formatter: short }, nameTextStyle: { color: colours.quiet },
      splitLine: { lineStyle: { color: colours.grid } } }, more);
  }
  function names(colours, labels, more) {
    return Object.assign({ type: "category", data: labels, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.quiet, hideOverlap: true } }, more);
  }
  function stamp(moments) {
    var long = moments.length && new Date(moments[moments.length - 1]) - new Date(moments[0]) > 1.5 * DAY;
    var isQuick = moments.length > 1 && new Date(moments[1]) - new Date(moments[0]) < 60000;
    return function (text) {
      return new Date(text).toLocaleString(window.ovd.words.language, long ? { day: "numeric", month: "short" }
        : { hour: "2-digit", minute: "2-digit", second: isQuick ? "2-digit" : undefined });
    };
  }
  function line(colours, at, words, colour) {
    return { xAxis: at, lineStyle: { color: colour, type: "dashed", width: 1.5 },
      label: { formatter: words, color: colours.quiet, position: "end", fontSize: 11 } };
  }

  function received(picture, colours, box) {
    var say = stamp(picture.moments), option = base(colours), parts = picture.parts.map(function (one) { return one.name; });
    option.tooltip.trigger = "axis";
    option.tooltip.axisPointer = { type: "shadow" };
    option.tooltip.formatter = function (points) {
      var lines = points.filter(function (one) { return one.value; }).map(function (one) { return one.seriesName + ": " + short(one.value); });
      return [moment(picture.moments[points[0].dataIndex])].concat(lines.length ? lines : [words("no samples")]).join("\n");
    };
    option.legend = legend(colours, parts);
    option.grid.top = parts.length > 1 ? 40 : 16;
    option.xAxis = names(colours, picture.moments, { axisLabel: { color: colours.quiet, hideOverlap: true, formatter: say } });
    option.yAxis = values(colours, { minInterval: 1, splitNumber: isNarrow(box) ? 3 : 4 });
    option.series = picture.parts.map(function (one, index) {
      var colour = colours.lines[index % colours.lines.length];
      return { name: one.name, type: "bar", stack: "all", data: one.values.map(function (value) { return value || null; }), barMaxWidth: 36, barMinHeight: 2, itemStyle: { color: colour } };
    });
    return option;
  }

  function curve(picture, colours) {
    var option = base(colours), few = picture.points.length < 30;
    option.tooltip.trigger = "axis";
    option.tooltip.formatter = function (points) { return words("Step {number}", { number: short(points[0].value[0]) }) + "\n" + picture.name + ": " + short(points[0].value[1]); };
    option.grid.top = 12;
    option.xAxis = values(colours, { min: "dataMin", max: "dataMax", splitLine: { show: false }, axisLine: { lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.quiet, hideOverlap: true, showMaxLabel: false, formatter: short } });
    option.yAxis = values(colours, picture.log ? { type: "log", splitNumber: 3 } : { scale: true, splitNumber: 3 });
    option.series = [{ name: picture.name, type: "line", data: picture.points, showSymbol: few, symbolSize: 5,
      lineStyle: { color: colours.lines[0], width: 2.25 }, itemStyle: { color: colours.lines[0] } }];
    return option;
  }

  function whiskers(interval, colour) {
    return { type: "custom", silent: true, z: 2, data: [[interval[0], interval[1]]], encode: { x: [0, 1] },
      renderItem: function (params, api) {
        var from = api.coord([api.value(0), 0]), to = api.coord([api.value(1), 0]), style = { stroke: colour, lineWidth: 3 };
        function stroke(x1, y1, x2, y2) { return { type: "line", shape: { x1: x1, y1: y1, x2: x2, y2: y2 }, style: style }; }
        return { type: "group", children: [stroke(from[0], from[1], to[0], from[1]),
          stroke(from[0], from[1] - 8, from[0], from[1] + 8), stroke(to[0], to[1] - 8, to[0], to[1] + 8)] };
      } };
  }
  function improvement(picture, colours) {
    var option = base(colours), colour = picture.passed ? colours.good : colours.mark, all = [picture.value, picture.minimum, 0].concat(picture.interval || []);
    var least = Math.min.apply(null, all), most = Math.max.apply(null, all), room = (most - least) * 0.12 || Math.abs(most) * 0.12 || 1;
    var lines = [line(colours, 0, words("no better"), colours.quiet)];
    if (picture.minimum) {
      lines.push(line(colours, picture.minimum, picture.minimum > 0 ? words("needed") : words("still allowed"), colours.lines[2]));
      lines[0].label.align = picture.minimum > 0 ? "right" : "left"; // the words of two near lines keep apart
      lines[1].label.align = picture.minimum > 0 ? "left" : "right";
    }
    option.tooltip.formatter = function () {
      return words("Better by {value}", { value: short(picture.value) }) + (picture.interval
        ? "\n" + words("between {low} and {high}", { low: short(picture.interval[0]), high: short(picture.interval[1]) }) : "");
    };
    option.grid.top = 26;
    option.grid.left = 40;
    option.xAxis = values(colours, { min: least - room, max: most + room, splitLine: { show: false }, splitNumber: 4,
      axisLine: { show: true, lineStyle: { color: colours.grid } }, axisLabel: { color: colours.quiet, hideOverlap: true, showMinLabel: false,
        showMaxLabel: false, formatter: short } });
    option.yAxis = names(colours, [""], { axisLine: { show: false } });
    option.series = [{ type: "scatter", data: [[picture.value, 0]], symbolSize: 15, itemStyle: { color: colour }, z: 3,
      markLine: { symbol: "none", silent: true, data: lines } }];
    if (picture.interval) { option.series.unshift(whiskers(picture.interval, colour)); }
    return option;
  }

  function versions(picture, colours) {
    var tones = { active: colours.good, retired: colours.lines[0], candidate: colours.lines[2], rejected: colours.mark };
    var option = base(colours), labels = picture.points.map(function (one) { return "v" + one.number; });
    var lived = picture.points.map(function (one) { return one.state === "active" || one.state === "retired" ? one.value : null; });
    var groups = {};
    picture.points.forEach(function (one, at) {
      groups[one.word] = groups[one.word] || { state: one.state, data: [] };
      groups[one.word].data.push([at, one.value]);
    });
    option.tooltip.formatter = function (point) {
      var one = picture.points[point.value[0]];
      return words("Version {number}", { number: one.number }) + ", " + one.word + "\n" + picture.metric + ": " + short(one.value);
    };
    option.legend = legend(colours, Object.keys(groups));
    option.legend.show = true;
    option.grid.top = 40;
    option.xAxis = names(colours, labels);
    option.yAxis = values(colours, { scale: true, splitNumber: 4 });
    option.series = [{ type: "line", data: lived, connectNulls: true, symbol: "none", silent: true, tooltip: { show: false },
      lineStyle: { color: colours.history, width: 1.5 } }].concat(Object.keys(groups).map(function (word) {
        var group = groups[word], colour = tones[group.state] || colours.quiet;
        var hollow = group.state === "candidate";
        return { name: word, type: "scatter", data: group.data, symbol: group.state === "rejected" ? "diamond" : "circle",
          symbolSize: group.state === "active" ? 15 : 11, z: 3,
          itemStyle: { color: hollow ? colours.back : colour, borderColor: colour, borderWidth: hollow ? 2 : 0, opacity: 1 } };
      }));
    return option;
  }

  function ledger(picture, colours, box) {
    var option = base(colours), spans = picture.spans, hasZoom = spans.length > 4;
    option.tooltip.formatter = function (point) {
      var span = spans[point.dataIndex];
      return words("Version {number}", { number: span.number }) + "\n" + (span.live ? words("live since {moment}", { moment: moment(span.from) })
        : words("{low} to {high}", { low: moment(span.from), high: moment(span.until) })) +
        "\n" + span.why.replace(/(.{60}\S*)\s/g, "$1\n");
    };
    option.grid.top = 8;
    option.grid.bottom = hasZoom ? 44 : 4;
    option.xAxis = { type: "time", min: spans[0].from, max: picture.now, splitLine: { show: false }, axisLine: { lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.quiet, hideOverlap: true, formatter: { year: "{yyyy}", month: "{d} {MMM}", day: "{d} {MMM}", hour: "{HH}:{mm}",
        minute: "{HH}:{mm}", second: "{HH}:{mm}:{ss}", millisecond: "{HH}:{mm}:{ss}" } }, splitNumber: isNarrow(box) ? 3 : 6 };
    option.yAxis = names(colours, [""], { axisLine: { show: false } });
    if (hasZoom) {
      option.dataZoom = [{ type: "slider", height: 20, bottom: 8, borderColor: colours.grid, textStyle: { color: colours.quiet },
        showDataShadow: false, labelFormatter: function (value) { return moment(value); } }];
    }
    option.series = [{ type: "custom", clip: true, encode: { x: [0, 1], y: 2 }, data: spans.map(function (span) { return [span.from, span.until, 0]; }),
      renderItem: function (params, api) {
        var span = spans[params.dataIndex], from = api.coord([api.value(0), 0]), to = api.coord([api.value(1), 0]);
        var left = Math.max(from[0], params.coordSys.x), right = Math.min(to[0], params.coordSys.x + params.coordSys.width);
        if (right <= params.coordSys.x || left >= params.coordSys.x + params.coordSys.width) { return null; }
        var width = Math.max(right - left, 2), colour = span.live ? colours.good : colours.lines[0];
        return { type: "group", children: [
          { type: "rect", shape: { x: left, y: from[1] - 16, width: Math.max(width - 1, 2), height: 32, r: 3 }, style: { fill: colour } },
          { type: "text", silent: true, style: { text: width > 26 ? "v" + span.number : "", x: left + width / 2, y: from[1], fill: colours.ink,
            align: "center", verticalAlign: "middle", fontWeight: 600, fontSize: 12 } }] };
      } }];
    return option;
  }

  function drift(picture, colours, box) {
    var option = base(colours), say = stamp(picture.moments), words = picture.parts.map(function (one) { return one.name; });
    function percent(value) { return Math.round(value * 100) + " %"; }
    option.tooltip.trigger = "axis";
    option.tooltip.formatter = function (points) {
      return [moment(picture.moments[points[0].dataIndex])].concat(points.filter(function (one) { return one.value !== null && one.value !== undefined; })
        .map(function (one) { return window.ovd.words("{name}: {share} of its limit", { name: one.seriesName, share: percent(one.value) }); })).join("\n");
    };
    option.legend = legend(colours, words);
    option.grid.top = words.length > 1 ? 40 : 24;
    option.grid.right = 28;
    option.xAxis = names(colours, picture.moments, { boundaryGap: false, axisLabel: { color: colours.quiet, hideOverlap: true, formatter: say } });
    option.yAxis = values(colours, { min: 0, max: function (found) { return Math.max(1.25, Math.ceil(found.max * 4) / 4); }, splitNumber: isNarrow(box) ? 2 : 4,
      axisLabel: { color: colours.quiet, formatter: percent } });
    option.series = picture.parts.map(function (one, index) {
      var colour = colours.lines[index % colours.lines.length];
      return { name: one.name, type: "line", data: one.values, showSymbol: one.values.length < 20, symbolSize: 5,
        lineStyle: { color: colour, width: 2 }, itemStyle: { color: colour } };
    });
    if (option.series.length) {
      option.series[0].markLine = { symbol: "none", silent: true, data: [{ yAxis: 1 }], lineStyle: { color: colours.mark, type: "dashed" },
        label: { formatter: window.ovd.words("limit"), position: "insideEndTop", color: colours.mark } };
    }
    return option;
  }

  function overtime(picture, colours, box) {
    var option = base(colours), say = stamp(picture.moments), parts = picture.parts.map(function (one) { return one.name; });
    function told(value) { return short(value) + (picture.unit ? " " + picture.unit : ""); }
    option.tooltip.trigger = "axis";
    option.tooltip.formatter = function (points) {
      return [moment(picture.moments[points[0].dataIndex])].concat(points.filter(function (one) { return one.value !== null && one.value !== undefined; })
        .map(function (one) { return one.seriesName + ": " + told(one.value); })).join("\n");
    };
    option.legend = legend(colours, parts);
    option.grid.top = 34;
    option.xAxis = names(colours, picture.moments, { boundaryGap: false, axisLabel: { color: colours.quiet, hideOverlap: true, formatter: say } });
    option.yAxis = values(colours, { min: 0, splitNumber: isNarrow(box) ? 2 : 3, max: picture.most || null });
    option.series = picture.parts.map(function (one, index) {
      var colour = colours.lines[index % colours.lines.length];
      return { name: one.name, type: "line", data: one.values, showSymbol: one.values.length < 4, symbolSize: 5,
        areaStyle: index ? undefined : { color: colours.band }, lineStyle: { color: colour, width: index ? 1.5 : 2.25 }, itemStyle: { color: colour } };
    });
    return option;
  }

  function pairs(picture, colours) {
    var option = base(colours), all = [];
    picture.points.forEach(function (point) { all.push(point[0], point[1]); });
    var least = Math.min.apply(null, all), most = Math.max.apply(null, all), room = (most - least) * 0.05 || 1;
    var isLower = picture.better === "lower";
    function isBetter(point) { return isLower ? point[1] < point[0] : point[1] > point[0]; }
    function axis(name) {
      return values(colours, { name: name, nameLocation: "middle", nameGap: 26, min: least - room, max: most + room, splitNumber: 3,
        splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: colours.grid } },
        axisLabel: { color: colours.quiet, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: short } });
    }
    option.tooltip.formatter = function (point) {
      return picture.x + ": " + short(point.value[0]) + "\n" + picture.y + ": " + short(point.value[1]);
    };
    option.grid = { left: 48, right: 16, top: 12, bottom: 40 };
    option.xAxis = axis(picture.x);
    option.yAxis = Object.assign(axis(picture.y), { nameGap: 34 });
    option.series = [{ type: "line", silent: true, symbol: "none", tooltip: { show: false }, data: [[least - room, least - room], [most + room, most + room]],
      lineStyle: { color: colours.history, type: "dashed", width: 1.5 } },
      { type: "scatter", symbolSize: 7, data: picture.points.map(function (point) {
        return { value: point, symbol: isBetter(point) ? "circle" : "diamond", itemStyle: { color: isBetter(point) ? colours.good : colours.mark, opacity: 0.75 } };
      }) }];
    return option;
  }

  window.ovd = window.ovd || {};
  window.ovd.figures = { pairs: pairs, overtime: overtime, received: received, curve: curve, improvement: improvement, versions: versions, ledger: ledger, drift: drift };
})();
