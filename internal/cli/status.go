package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the zones, who leads what, how CronJobs ran, and what is not well",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usage(cmd, "-o %s is not a format of status: use table or json", output)
			}
			status, err := a.client().StatusWithCronJobs(cmd.Context())
			if err != nil {
				return err
			}
			if output == "json" {
				encoder := json.NewEncoder(a.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			a.printLines(a.Stdout, statusLines(status, time.Now()))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table or json")
	return cmd
}

// printLines prints lines, with colours where somebody looks and wants them.
func (a *app) printLines(w io.Writer, lines []string) {
	for _, line := range lines {
		if a.colours(w) {
			line = paint(line)
		}
		fmt.Fprintln(w, line)
	}
}

// colours says whether w is a terminal whose user did not ask for plain text (https://no-color.org).
func (a *app) colours(w io.Writer) bool {
	return isTerminal(w) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
}

var coloured = []struct {
	words *regexp.Regexp
	code  string
}{
	{regexp.MustCompile(`\b(ready|healthy|ACTIVE)\b`), "\x1b[32m"},
	{regexp.MustCompile(`\b(killed|failed|unhealthy|QUORUM IS LOST|LOST|FAILED|no quorum)\b`), "\x1b[31m"},
	{regexp.MustCompile(`\b(paused|stopped|starting|stopping|unready|degraded|CREATING|UPDATING)\b`), "\x1b[33m"},
}

// heading is a table's first line: words in capitals, in columns.
var heading = regexp.MustCompile(`^[A-Z][A-Z /]+$`)

// paint colours the words of a finished line, so that the columns need not know of it.
func paint(line string) string {
	if heading.MatchString(line) {
		return "\x1b[1m" + line + "\x1b[0m"
	}
	for _, c := range coloured {
		line = c.words.ReplaceAllString(line, c.code+"$1\x1b[0m")
	}
	return line
}
