/* CodeMirror for manifests: TOML, complaints beside their lines, completion, and two texts side by side. */
import { autocompletion, completionKeymap } from "@codemirror/autocomplete";
import { StreamLanguage } from "@codemirror/language";
import { toml } from "@codemirror/legacy-modes/mode/toml";
import { lintGutter, linter, setDiagnostics } from "@codemirror/lint";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, Compartment } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { basicSetup } from "codemirror";

window.ovdEditor = {
  EditorState, EditorView, Compartment, MergeView, unifiedMergeView, autocompletion, basicSetup, completionKeymap, keymap,
  lintGutter, linter, setDiagnostics, toml: () => StreamLanguage.define(toml)
};
