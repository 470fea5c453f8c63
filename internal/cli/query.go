package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
)

// queryOptions are those of `tripod metrics --query`.
type queryOptions struct {
	query       string
	since, step time.Duration
	output      string
}

func (o *queryOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.query, "query", "q", "", "a question in PromQL about the last hour")
	flags.DurationVar(&o.since, "since", 0, "answer it for all times since so long ago, as a line of bars")
	flags.DurationVar(&o.step, "step", 0, "the time between those, instead of a hundredth of --since")
	flags.StringVarP(&o.output, "output", "o", "text", "of a query: text or json")
}

// check says what does not go together; asked is whether there is a query.
func (o *queryOptions) check(cmd *cobra.Command, args []string) (asked bool, err error) {
	asked = cmd.Flags().Changed("query")
	switch {
	case !asked && (o.since != 0 || o.step != 0 || cmd.Flags().Changed("output")):
		return false, usage(cmd, "--since, --step and --output are for a --query")
	case !asked:
		return false, nil
	case len(args) > 0 || cmd.Flags().Changed("cluster"):
		return false, usage(cmd, `a --query is about the whole region: say {zone="...",job="...",cluster="..."} in it`)
	case o.since < 0 || o.step < 0 || o.step > 0 && o.since == 0:
		return false, usage(cmd, "--since and --step are times such as 15m and 30s, and --step goes with --since")
	case o.output != "text" && o.output != "json":
		return false, usage(cmd, "--output is text or json, not %q", o.output)
	}
	return true, nil
}

func (a *app) query(ctx context.Context, o queryOptions) error {
	answer, err := a.client().Query(ctx, api.MetricsQuestion{Query: o.query, Since: o.since, Step: o.step})
	if err != nil {
		return err
	}
	if o.output == "json" {
		return json.NewEncoder(a.Stdout).Encode(answer)
	}
	for _, warning := range answer.Warnings {
		fmt.Fprintln(a.Stderr, "note: "+clean(warning))
	}
	writeAnswer(a.Stdout, answer)
	return nil
}

// writeAnswer prints a line for each series.
func writeAnswer(w io.Writer, answer *api.MetricsAnswer) {
	switch {
	case answer.Type == "string":
		fmt.Fprintln(w, clean(answer.Text))
	case len(answer.Series) == 0:
		fmt.Fprintln(w, "no series: nothing has such a name and such labels in that time")
	case answer.Type == "matrix":
		width := 0
		for _, s := range answer.Series {
			width = max(width, min(len(s.Points), sparkWidth))
		}
		fmt.Fprintf(w, "%s %9s %9s %9s  %s\n", pad("COURSE", max(width, 6)), "MIN", "MAX", "LAST", "SERIES")
		for _, s := range answer.Series {
			low, high := extremes(s.Points)
			last := s.Points[len(s.Points)-1].Value
			fmt.Fprintf(w, "%s %9s %9s %9s  %s\n", pad(spark(s.Points, width), max(width, 6)), figure(low), figure(high), figure(last),
				seriesName(s.Labels))
		}
	default:
		fmt.Fprintf(w, "%12s  %s\n", "VALUE", "SERIES")
		for _, s := range answer.Series {
			fmt.Fprintf(w, "%12s  %s\n", figure(s.Points[0].Value), seriesName(s.Labels))
		}
	}
}

// seriesName is a series as PromQL writes it.
func seriesName(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if name != "__name__" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, labels[name]))
		}
	}
	return clean(labels["__name__"] + "{" + strings.Join(parts, ", ") + "}")
}

// figure is a number as short as it is of use: four digits, and a suffix for what is large.
func figure(n api.Number) string {
	v := float64(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return n.String()
	}
	for _, unit := range []struct {
		from   float64
		suffix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if math.Abs(v) >= unit.from {
			if unit.suffix == "k" {
				unit.from = 1e3
			}
			return fmt.Sprintf("%.4g", v/unit.from) + unit.suffix
		}
	}
	return fmt.Sprintf("%.4g", v)
}

// sparkWidth is the most that a course has of columns.
const sparkWidth = 60

var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws points as bars between the smallest value, or zero, and the largest: the last width of them. A value that is
// no number is a gap.
func spark(points []api.Point, width int) string {
	points = points[max(0, len(points)-width):]
	low, high := extremes(points)
	low = min(low, 0)
	var b strings.Builder
	for _, p := range points {
		share := float64((p.Value - low) / (high - low))
		switch {
		case p.Value.IsNaN():
			b.WriteRune(' ')
		case high == low || math.IsNaN(share):
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[min(len(bars)-1, max(0, int(share*float64(len(bars)))))])
		}
	}
	return b.String()
}

// extremes are the smallest and the largest value that is a number; both are NaN where none is.
func extremes(points []api.Point) (low, high api.Number) {
	low, high = api.Number(math.NaN()), api.Number(math.NaN())
	for _, p := range points {
		if !p.Value.IsNaN() {
			if low.IsNaN() || p.Value < low {
				low = p.Value
			}
			if high.IsNaN() || p.Value > high {
				high = p.Value
			}
		}
	}
	return low, high
}
