// print_scenarios.mjs: the scenarios as JSON, for the Python SDKs: with the parameters of the first
// request in each dialect, and the turns that are expected of each caller and provider.
import * as dialects from "./dialects.mjs";
import { expectedTurns, scenarios } from "./scenarios.mjs";

const callers = Object.keys(dialects).filter((name) => dialects[name].request);
const providers = ["openai", "gemini", "anthropic"];
const each = (names, make) => Object.fromEntries(names.map((name) => [name, make(name)]));

console.log(JSON.stringify(scenarios.map((scenario) => ({
  name: scenario.name,
  failure: scenario.failure,
  results: scenario.results,
  requests: each(callers, (caller) => dialects[caller].request("", scenario)),
  turns: scenario.turns && each(callers, (caller) => each(
    providers, (provider) => expectedTurns(scenario, caller, provider))),
}))));
