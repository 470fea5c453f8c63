package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"tripod/api"
	"tripod/client"
)

func (a *app) eventsCommand() *cobra.Command {
	follow, output, since := false, "", ""
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Print what happened to the region",
		Example: "  tripod events -f\n  tripod events --since 5m -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return usage(cmd, "-o %s is not a format of events: use json, or leave it out", output)
			}
			keep, seq, err := parseSince(since, time.Now())
			if err != nil {
				return usage(cmd, "%v", err)
			}
			return a.events(cmd.Context(), seq, follow, func(event api.Event) error {
				if !keep(event) {
					return nil
				}
				return a.printEvent(event, output == "json")
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with those to come")
	cmd.Flags().StringVarP(&output, "output", "o", "", "json prints one object a line")
	cmd.Flags().StringVar(&since, "since", "", "only later ones: a duration (5m), a time (RFC 3339), or an event's number")
	return cmd
}

// parseSince reads --since; keep says of each event whether it is late enough.
func parseSince(since string, now time.Time) (keep func(api.Event) bool, seq uint64, err error) {
	if since == "" {
		return func(api.Event) bool { return true }, 0, nil
	}
	if seq, err := strconv.ParseUint(since, 10, 64); err == nil {
		return func(event api.Event) bool { return event.Seq > seq }, seq, nil
	}
	begin, err := time.Parse(time.RFC3339, since)
	if d, durationErr := time.ParseDuration(since); durationErr == nil {
		begin, err = now.Add(-d), nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("--since %q is none of a duration (5m), a time (%s) and an event's number", since,
			now.UTC().Format(time.RFC3339))
	}
	return func(event api.Event) bool { return !event.Time.Before(begin) }, 0, nil
}

// events asks the region, or reads its file when it does not run.
func (a *app) events(ctx context.Context, seq uint64, follow bool, each func(api.Event) error) error {
	err := a.client().Events(ctx, seq, follow, each)
	if errors.Is(err, client.ErrNotRunning) && !follow {
		return a.eventsFromFile(err, each)
	}
	if err == nil && follow {
		fmt.Fprintln(a.Stderr, "the region has stopped")
	}
	return err
}

func (a *app) eventsFromFile(notRunning error, each func(api.Event) error) error {
	file, err := os.Open(filepath.Join(a.dataDir, "events.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return notRunning
	}
	if err != nil {
		return fmt.Errorf("cannot read the events: %w", err)
	}
	defer file.Close()
	fmt.Fprintf(a.Stderr, "note: %v\n", notRunning)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event api.Event
		if json.Unmarshal(lines.Bytes(), &event) != nil {
			continue // the last line of a killed region may be a half
		}
		if err := each(event); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (a *app) printEvent(event api.Event, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.Stdout).Encode(event)
	}
	_, err := fmt.Fprintln(a.Stdout, eventLine(event, true))
	return err
}

// eventLine is an event for people, with the local time, and the day where asked for.
func eventLine(event api.Event, day bool) string {
	layout := "15:04:05.000"
	if day {
		layout = "2006-01-02 15:04:05.000"
	}
	return event.Time.Local().Format(layout) + "  " + eventText(event)
}

func eventText(event api.Event) string {
	if event.Message != "" {
		return clean(event.Message)
	}
	text := string(event.Type)
	for _, part := range []string{event.Target, event.Zone, event.Cluster} {
		if part != "" {
			text += " " + part
		}
	}
	return clean(text)
}
