package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tripod/awsapi/history"
)

// historyOptions says which calls are shown, and how.
type historyOptions struct {
	follow           bool
	last             int // how many at first; -1 means all
	service          string
	errors, mutating bool
	output           string
}

func (a *app) historyCommand() *cobra.Command {
	options := historyOptions{last: 100}
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Print the calls of the AWS endpoint, of all zones",
		Example: "  tripod history -f\n  tripod history --service eks --mutating -n 20\n" +
			"  tripod history --errors -o json | jq .errorMessage",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case options.output != "text" && options.output != "json":
				return usage(cmd, "-o %s is not a format of history: use text or json", options.output)
			case options.last < -1:
				return usage(cmd, "-n %d is out of range: use a number of calls, or -1 for all", options.last)
			}
			return a.history(cmd.Context(), options, followInterval)
		},
	}
	cmd.Flags().BoolVarP(&options.follow, "follow", "f", false, "go on with those to come")
	cmd.Flags().IntVarP(&options.last, "number", "n", options.last, "begin with this many of the last calls; -1 means all")
	cmd.Flags().StringVar(&options.service, "service", "", "only calls of one service, such as eks, sts or iam")
	cmd.Flags().BoolVar(&options.errors, "errors", false, "only calls that failed")
	cmd.Flags().BoolVar(&options.mutating, "mutating", false, "only calls that are meant to change something")
	cmd.Flags().StringVarP(&options.output, "output", "o", "text", "text, or json: one CloudTrail-shaped object a line")
	return cmd
}

// wants says whether a call is shown. Notices that calls are missing always are.
func (o historyOptions) wants(record *history.Record) bool {
	if record.Additional.Lost > 0 {
		return true
	}
	return (o.service == "" || strings.EqualFold(o.service, record.Service())) && (!o.errors || record.ErrorCode != "") &&
		(!o.mutating || !record.ReadOnly)
}

// history reads the zones' files, whether the region runs or not.
func (a *app) history(ctx context.Context, options historyOptions, interval time.Duration) error {
	files := &historyFiles{dataDir: a.dataDir, options: options, zones: map[string]*historyZone{}}
	defer files.close()
	calls, err := files.read()
	if err != nil {
		return err
	}
	if len(files.zones) == 0 && !options.follow {
		return fmt.Errorf("there is no history of calls in %s: no region has run there", a.dataDir)
	}
	table := &historyTable{out: func(line string) error { _, err := fmt.Fprintln(a.Stdout, line); return err }}
	show := table.add
	if options.output == "json" {
		show = func(call historyCall) error {
			_, err := a.Stdout.Write(append(history.Escape(call.line), '\n'))
			return err
		}
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		for _, call := range calls {
			if err := show(call); err != nil {
				return err
			}
		}
		if !options.follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if calls, err = files.more(); err != nil {
			return err
		}
	}
}

// historyTable prints calls for people, with the local time, in lines of 80 columns; a day once, before its first call.
type historyTable struct {
	out func(line string) error
	day string
}

func (t *historyTable) add(call historyCall) error {
	for _, line := range t.lines(&call.record) {
		if err := t.out(line); err != nil {
			return err
		}
	}
	return nil
}

func (t *historyTable) lines(record *history.Record) []string {
	var lines []string
	local := record.Time().Local()
	if day := local.Format("Monday, 2006-01-02"); day != t.day {
		if t.day == "" {
			lines = append(lines, historyRow("TIME", "CALL", "WHO", "RESULT"))
		}
		t.day = day
		lines = append(lines, day)
	}
	at := local.Format("15:04:05")
	if lost := record.Additional.Lost; lost > 0 {
		return append(lines, historyRow(at, fmt.Sprintf("(%d calls are missing here)", lost), "", ""))
	}
	result := "OK"
	if record.ErrorCode != "" {
		result = record.ErrorCode
	}
	if about := aboutOf(record.RequestParameters); about != "" && record.ErrorCode == "" {
		result += " " + about
	}
	lines = append(lines, historyRow(at, record.Service()+":"+record.EventName, whoOf(record.UserIdentity), result))
	for _, note := range record.Additional.Notes {
		for _, line := range wrap(clean("taken all the same: "+note), tableWidth-10) {
			lines = append(lines, "          "+clip(line, tableWidth-10))
		}
	}
	for _, fault := range record.Additional.Faults {
		lines = append(lines, "          "+clip(clean("met the fault "+fault), tableWidth-10))
	}
	if record.ErrorCode != "" && record.ErrorMessage != "" {
		for i, line := range wrap(clean(record.ErrorMessage), tableWidth-10) {
			if i == 3 {
				lines = append(lines, "          ...")
				break
			}
			lines = append(lines, "          "+clip(line, tableWidth-10))
		}
	}
	return lines
}

func historyRow(at, call, who, result string) string {
	row := pad(at, 8) + "  " + pad(clean(call), 35) + " " + pad(clean(who), 12) + " " + clip(clean(result), tableWidth-59)
	return strings.TrimRight(row, " ")
}

// whoOf names a caller: a user, ROLE/SESSION, or what else is known.
func whoOf(id history.Identity) string {
	for _, kind := range []string{":assumed-role/", ":federated-user/"} {
		if _, name, ok := strings.Cut(id.ARN, kind); ok {
			return name
		}
	}
	switch {
	case id.UserName != "":
		return id.UserName
	case id.Type == "Root":
		return "root"
	case id.AccessKeyID != "":
		return id.AccessKeyID
	}
	return "-"
}

// aboutOf is the name of the thing that a call was about, where a parameter says it.
func aboutOf(params json.RawMessage) string {
	var members map[string]any
	if json.Unmarshal(params, &members) != nil {
		return ""
	}
	for _, name := range []string{"nodegroupName", "addonName", "fargateProfileName", "capabilityName", "principalArn",
		"name", "clusterName", "RoleName", "UserName", "GroupName", "RoleArn", "resourceArn"} {
		if text, ok := members[name].(string); ok {
			if strings.HasPrefix(text, "arn:") && !strings.Contains(text, "/") { // root's
				return text[strings.LastIndexByte(text, ':')+1:]
			}
			return text[strings.LastIndexByte(text, '/')+1:]
		}
	}
	return ""
}
