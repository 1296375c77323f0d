"""Prints measurements as text."""

import statistics

# The goals the project has set itself, as a share of the better rival in the same run.
GOALS = [("direct-64", "cpu_us", 0.75, ("nginx", "haproxy-h1", "haproxy-h2")),
         ("sse", "cpu_us", 1.0, ("nginx",)),
         ("sse-paced", "cpu_us", 1.0, ("nginx",))]

NOTES = """\
One core for the proxy; the origin and the load share another. Medians over the rounds, CPU with
its least and most. CPU: all threads and processes of the proxy, from the scheduler; the split in
user and system is sampled by the kernel. p50 and p99: open loop, from the intended send time, at
{load:.0%} of the slowest proxy's capacity. Memory: proportional set size. Access log: flexd and
nginx write one JSON line a request to a file, HAProxy's log is off."""


def render_machine(machine, arguments):
    versions = "; ".join(machine["versions"].values())
    quick = " (--quick: a check, not a result)" if arguments.quick else ""
    return (f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, load average "
            f"{machine['load_average']:.2f}, network namespace {machine['network']}\n"
            f"commit {machine['commit']}; {versions}; origin {machine['origin']}\n"
            f"{arguments.rounds} rounds of {arguments.seconds:g} s, interleaved{quick}\n"
            + NOTES.format(load=0.6) + "\n")


def rows_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def best_rival(result, metric="cpu_us", rivals=None):
    """(name, value) of the cheapest proxy that is not flexd, or None."""
    found = [(values[metric]["median"], name) for name, values in result.items()
             if name.partition(" ")[0] != "flexd" and (rivals is None or name in rivals)]
    return (min(found)[1], min(found)[0]) if found else None


def added_costs(result, metric):
    """Name -> what each round of it cost more than the same round of the workload it is compared
    with (a row "flexd chat" with the row "flexd"), in us for a request or an event of the base."""
    added = {}
    for name, values in result.items():
        base = result.get(name.partition(" ")[0])
        if " " not in name or not base:
            continue
        # A translated stream has other events: whole answers are compared.
        events = base["events_per_request"] or 1
        factor = (values["events_per_request"] or 1) / events
        added[name] = [cost * factor - cost_of_base for cost, cost_of_base in zip(
            values[metric]["values"], base[metric]["values"])]
    return added


def added_notes(workload, result):
    """A line for each row that is compared with the base: what it adds."""
    user = added_costs(result, "user_us")
    lines = []
    for name, total in added_costs(result, "cpu_us").items():
        lines.append(f"{name} adds {statistics.median(total):.2f} us of CPU per {workload.unit} "
                     f"({min(total):.2f} to {max(total):.2f}), "
                     f"{statistics.median(user[name]):.2f} us of it user time")
    return lines


def render_aborts(result):
    rows = [["", "p50 us", "p99 us", "max us"]]
    for name, values in result.items():
        rows.append([name] + [f"{values[key]:.0f}" for key in ("p50_us", "p99_us", "max_us")])
    return rows_text(rows)


def workload_rows(workload, result, rival):
    places = 3 if workload.is_stream else 2
    rows = [["", f"CPU us/{workload.unit}", "least-most", "user", "system", "ratio",
             f"{workload.unit}s/s", "busy", "p50 us", "p99 us", "MB"]]
    if workload.is_stream:
        rows[0] += ["first event p50", "p99", "gap p99"]
    for name, values in result.items():
        middle = {key: value["median"] for key, value in values.items() if isinstance(value, dict)}
        cpu = values["cpu_us"]
        rows.append([
            name, f"{cpu['median']:.{places}f}", f"{cpu['min']:.{places}f}-{cpu['max']:.{places}f}",
            f"{middle['user_us']:.{places}f}", f"{middle['system_us']:.{places}f}",
            f"{cpu['median'] / rival[1]:.2f}" if rival else "-", f"{middle['per_second']:.0f}",
            f"{middle['busy']:.0%}", f"{middle['p50_us']:.0f}", f"{middle['p99_us']:.0f}",
            f"{middle['memory_mb']:.1f}"])
        if workload.is_stream:
            rows[-1] += [f"{middle[key]:.0f}" for key in
                         ("first_event_p50_us", "first_event_p99_us", "gap_p99_us")]
    return rows


def workload_notes(workload, result, rival):
    """What a reader must know to trust the rows, or not to."""
    first = next(iter(result.values()))
    late = max(values["late_p99_us"]["median"] for values in result.values())
    others = max(values["others"]["max"] for values in result.values())
    notes = [f"latency at {first['latency_rate_per_s']:.0f} requests/s",
             f"p99 of the sender's own lateness at most {late:.0f} us"]
    if workload.is_stream:
        notes.append(f"{first['events_per_request']} events a request")
    if rival:
        notes.append(f"ratio is against {rival[0]}")
    if others > 0.05:
        notes.append(f"DISTURBED: others took up to {others:.0%} of the proxy's core")
    return "; ".join(notes)


def render_workload(workload, result):
    title = f"{workload.key}: {workload.title}\n"
    if workload.is_abort:
        return title + render_aborts(result) + "\n"
    rival = best_rival(result)
    lines = [workload_notes(workload, result, rival), *added_notes(workload, result)]
    return "\n".join([title + rows_text(workload_rows(workload, result, rival)), *lines, ""])


def render_goals(results):
    lines = []
    for key, metric, goal, rivals in GOALS:
        result = results.get(key, {})
        rival = best_rival(result, metric, rivals)
        if "flexd" not in result or not rival:
            continue
        ratio = result["flexd"][metric]["median"] / rival[1]
        verdict = "reached" if ratio <= goal else f"missed by {ratio / goal - 1:.0%}"
        lines.append(f"goal: {key} CPU at most {goal} of {rival[0]}: {ratio:.2f}, {verdict}")
    return "\n".join(lines)
