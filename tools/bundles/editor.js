/* CodeMirror for manifests: TOML, complaints beside their lines, completion, and two texts side by side. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { HighlightStyle, StreamLanguage, bracketMatching, syntaxHighlighting } from "@codemirror/language";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { lintGutter, linter, setDiagnostics } from "@codemirror/lint";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, Compartment } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

/* Colours of the page, which change with dark and light. */
const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--ovd-quiet)", fontStyle: "italic" }, { tag: tags.string, color: "var(--go)" },
  { tag: [tags.number, tags.bool, tags.atom], color: "var(--run)" }, { tag: tags.propertyName, color: "var(--tblr-link-color)" }
]);
const basicSetup = [
  lineNumbers(), highlightActiveLineGutter(), history(), drawSelection(), bracketMatching(), closeBrackets(),
  highlightActiveLine(), syntaxHighlighting(colours),
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap])
];

window.ovdEditor = {
  EditorState, EditorView, Compartment, MergeView, unifiedMergeView, autocompletion, basicSetup, completionKeymap, keymap,
  lintGutter, linter, setDiagnostics, toml: () => StreamLanguage.define(toml)
};
