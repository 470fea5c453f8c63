package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tripod/client/chaos"
	"tripod/client/chaos/report"
)

func (a *app) chaosCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "chaos",
		Short: "Run experiments: faults, what clients see of them, and a report",
		Long: "Run experiments: faults at their times, probes that say what clients see of them, and a report of what was\n" +
			"expected and what came. An experiment is a file, or one of those that are here ready to run.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "name what to do: run, list or show")
		},
	}
	parent.AddCommand(a.chaosRunCommand(), a.chaosListCommand(), a.chaosShowCommand())
	return parent
}

// listed is what `tripod chaos list -o json` prints of an experiment.
type listed struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Teaches string `json:"teaches"`
}

func (a *app) chaosListCommand() *cobra.Command {
	output := "table"
	cmd := &cobra.Command{
		Use: "list", Short: "List the experiments that are here ready to run, and what each teaches", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all := []listed{}
			for _, name := range chaos.Library() {
				text, _ := chaos.Find(name)
				e, err := chaos.Parse(name, text, nil, 1)
				if err != nil {
					return err
				}
				all = append(all, listed{e.Name, e.Title, e.Teaches})
			}
			switch output {
			case "json":
				return json.NewEncoder(a.Stdout).Encode(all)
			case "table":
			default:
				return usage(cmd, "-o %s is not a format of chaos list: use table or json", output)
			}
			for _, one := range all {
				fmt.Fprintf(a.Stdout, "%s\n  %s\n", one.Name, one.Title)
				for _, line := range wrap(strings.Join(strings.Fields(one.Teaches), " "), tableWidth-4) {
					fmt.Fprintf(a.Stdout, "    %s\n", line)
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "table or json")
	return cmd
}

func (a *app) chaosShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print an experiment as a file, to run or to change", Example: "  tripod chaos show split-brain > mine.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "'%s' takes the name of one experiment: 'tripod chaos list' has them", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeExperiments,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, found := chaos.Find(args[0])
			if !found {
				return usage(cmd, "there is no experiment %q here: there are %s", args[0], strings.Join(chaos.Library(), ", "))
			}
			_, err := a.Stdout.Write(text)
			return err
		},
	}
}

func completeExperiments(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return chaos.Library(), cobra.ShellCompDirectiveDefault
}

// experiment is one command `tripod chaos run`.
type experiment struct {
	*app
	source     string // as typed
	text       []byte
	set        []string
	words      map[string]string // of set
	seed       uint64
	pace       float64
	repeat     int
	untilFails bool
	dryRun     bool
	reports    string // the directory; empty: one in the data directory
	output     string
}

func (a *app) chaosRunCommand() *cobra.Command {
	e := &experiment{app: a}
	cmd := &cobra.Command{
		Use: "run FILE|NAME", Short: "Run an experiment and report what came of it",
		Long: "Run an experiment and report what came of it.\n\n" +
			"The region must be healthy. Everything that is broken is taken back at the end, also after Ctrl-C. The seed decides what is\n" +
			"drawn: the same one gives the same faults at the same times again. It ends with 0 where all came as expected, 1 where it did\n" +
			"not, and 2 where it could not run.",
		Example: "  tripod chaos run lose-each-zone\n  tripod chaos run mine.yaml --seed 7 --repeat 10 --until-fails\n" +
			"  tripod chaos run az-power-interruption --pace 0.02 --set zone=c --dry-run",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(cmd, "'%s' takes one experiment: a file, or a name of 'tripod chaos list'", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: completeExperiments,
		RunE: func(cmd *cobra.Command, args []string) error {
			e.source = args[0]
			return e.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&e.seed, "seed", 0, "what decides what is drawn (one is drawn)")
	flags.Float64Var(&e.pace, "pace", 1, "make the times of the method so many times longer: 0.1 makes 30s of 5m")
	flags.StringArrayVar(&e.set, "set", nil, "a word of the experiment, such as zone=c; may be repeated")
	flags.IntVar(&e.repeat, "repeat", 1, "run it so many times, each with the next seed")
	flags.BoolVar(&e.untilFails, "until-fails", false, "end with the first run that is not as expected")
	flags.BoolVar(&e.dryRun, "dry-run", false, "say what would be done and what it would hurt, and break nothing")
	flags.StringVar(&e.reports, "report", "", "directory for the report's files (one below the data directory)")
	flags.StringVarP(&e.output, "output", "o", "text", "text, or json: one report a line")
	return cmd
}

// couldNotRun is the exit code of what could not run.
const couldNotRun = 2

func (e *experiment) run(cmd *cobra.Command) error {
	switch {
	case e.output != "text" && e.output != "json":
		return usage(cmd, "-o %s is not a format of chaos run: use text or json", e.output)
	case !(e.pace > 0 && e.pace <= 1000):
		return usage(cmd, "--pace %v is no factor of times: use 0.1 for a tenth of them", e.pace)
	case e.repeat < 1:
		return usage(cmd, "--repeat %d is no number of runs: use 1 or more", e.repeat)
	}
	if err := cmp.Or(e.read(), e.readWords()); err != nil {
		return couldNot(err)
	}
	if !cmd.Flags().Changed("seed") {
		e.seed = uint64(rand.Uint32())
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	var last error
	for i := range e.repeat {
		outcome, err := e.once(ctx, e.seed+uint64(i), i)
		if err != nil {
			return err
		}
		if outcome != nil {
			last = outcome
			if e.untilFails || ctx.Err() != nil {
				return last
			}
		}
	}
	return last
}

// couldNot is the error of an experiment that could not run.
func couldNot(err error) error { return &exitError{code: couldNotRun, sentence: err.Error()} }

// read reads the file, or the experiment of that name.
func (e *experiment) read() (err error) {
	if e.text, err = os.ReadFile(e.source); err == nil {
		return nil
	}
	if text, found := chaos.Find(e.source); found {
		e.text = text
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file and no experiment %q: '%s' has those that are here", e.source, e.command("chaos list"))
	}
	return err
}

// readWords reads what --set has said.
func (e *experiment) readWords() error {
	e.words = map[string]string{}
	for _, word := range e.set {
		name, value, found := strings.Cut(word, "=")
		if !found {
			return fmt.Errorf("--set %s is no word: write NAME=VALUE, such as zone=c", word)
		}
		e.words[name] = value
	}
	return nil
}

// once runs it once. The first error says that it did not come as expected, the second that it could not run.
func (e *experiment) once(ctx context.Context, seed uint64, number int) (outcome, err error) {
	parsed, err := chaos.Parse(e.source, e.text, e.words, seed)
	if err != nil {
		return nil, couldNot(err)
	}
	options := chaos.Options{Seed: seed, Pace: e.pace, Environ: e.Environ, Replay: e.replay(seed), Progress: e.progress(time.Now())}
	if e.dryRun {
		return nil, e.dry(ctx, parsed, options)
	}
	fmt.Fprintf(e.Stderr, "%s, seed %d\n", parsed.Name, seed)
	dir, err := e.reportDir(parsed.Name, seed, number)
	if err != nil {
		return nil, couldNot(err)
	}
	got, err := parsed.Run(ctx, e.client(), options)
	if err == nil {
		err = e.write(got, dir)
	}
	if err != nil {
		return nil, couldNot(err)
	}
	if e.output == "json" {
		err = json.NewEncoder(e.Stdout).Encode(got)
	} else {
		err = tell(e.Stdout, got, dir)
	}
	if err != nil {
		return nil, err
	}
	switch got.Outcome {
	case report.AsExpected:
		return nil, nil
	case report.NotAsExpected:
		return &exitError{code: 1, sentence: fmt.Sprintf("%s: %s; again: %s", got.Outcome, got.Reason, got.Replay)}, nil
	}
	return nil, couldNot(fmt.Errorf("%s could not run: %s", got.Name, got.Reason))
}

// progress writes lines with the time since the begin.
func (e *experiment) progress(begin time.Time) func(string) {
	return func(line string) { fmt.Fprintf(e.Stderr, "%6.1fs  %s\n", time.Since(begin).Seconds(), line) }
}

// replay is the command that runs it again with a seed.
func (e *experiment) replay(seed uint64) string {
	rest := "chaos run " + shellQuote(e.source) + " --seed " + strconv.FormatUint(seed, 10)
	if e.pace != 1 {
		rest += " --pace " + strconv.FormatFloat(e.pace, 'g', -1, 64)
	}
	for _, word := range e.set {
		rest += " --set " + shellQuote(word)
	}
	return e.command(rest)
}

func (e *experiment) dry(ctx context.Context, parsed *chaos.Experiment, options chaos.Options) error {
	plan := parsed.Plan(options.Seed, options.Pace)
	findings, err := parsed.Forecast(ctx, e.client(), plan, options)
	if err != nil {
		return couldNot(err)
	}
	if e.output == "json" {
		return json.NewEncoder(e.Stdout).Encode(struct {
			Seed     uint64           `json:"seed"`
			Steps    []string         `json:"steps"`
			Forecast []report.Finding `json:"forecast"`
		}{plan.Seed, plan.Lines(), append([]report.Finding{}, findings...)})
	}
	fmt.Fprintf(e.Stdout, "%s, seed %d: this would be done:\n", parsed.Name, plan.Seed)
	for _, line := range plan.Lines() {
		fmt.Fprintln(e.Stdout, "  "+line)
	}
	if len(findings) == 0 {
		fmt.Fprintln(e.Stdout, "Nothing is known that it would hurt.")
		return nil
	}
	fmt.Fprintln(e.Stdout, "It would hurt:")
	for _, f := range findings {
		fmt.Fprintln(e.Stdout, "  "+findingLine(f))
	}
	return nil
}

func findingLine(f report.Finding) string {
	text := f.Kind
	if f.Object != "" {
		text += " " + f.Object
	}
	return text + ": " + f.Why
}

// reportDir is the directory of a report. One that the user has named is made, and tried, before anything is broken.
func (e *experiment) reportDir(name string, seed uint64, number int) (string, error) {
	if e.reports == "" {
		return filepath.Join(e.dataDir, "chaos", fmt.Sprintf("%s-%s-%d", name, time.Now().UTC().Format("20060102T150405Z"), seed)), nil
	}
	dir := e.reports
	if e.repeat > 1 {
		dir = filepath.Join(dir, strconv.Itoa(number+1))
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = unix.Access(dir, unix.W_OK)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the report to %s: %w", dir, err)
	}
	return dir, nil
}

// write writes the report's files.
func (e *experiment) write(got *report.Report, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the report's directory: %w", err)
	}
	for _, file := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"report.html", got.WriteHTML}, {"report.json", got.WriteJSON}, {"junit.xml", got.WriteJUnit},
		{"experiment.yaml", func(w io.Writer) error { _, err := w.Write(e.text); return err }},
	} {
		if err := writeFile(filepath.Join(dir, file.name), file.write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// tell writes what people read of a report in a terminal.
func tell(w io.Writer, got *report.Report, dir string) error {
	var text strings.Builder
	for _, v := range got.Verdicts {
		mark := "ok    "
		if !v.Holds {
			mark = "FAILED"
		}
		fmt.Fprintf(&text, "  %s  %s: %s (expected %s)\n", mark, v.Title(), v.Observed, v.Expected)
	}
	for _, r := range got.Probes {
		if r.Failures == 0 {
			continue
		}
		var kinds []string
		for kind, n := range r.Errors {
			kinds = append(kinds, fmt.Sprintf("%d x %s", n, kind))
		}
		slices.Sort(kinds)
		fmt.Fprintf(&text, "  %s: %d of %d failed: %s\n", r.Name, r.Failures, r.Attempts, strings.Join(kinds, ", "))
	}
	for _, f := range got.Forecast {
		line := findingLine(f)
		if f.Came != "" {
			line += "; " + f.Came
		}
		fmt.Fprintf(&text, "  %s\n", line)
	}
	fmt.Fprintf(&text, "%s in %v: %s\n", got.Outcome, got.Ended.Sub(got.Started).Round(100*time.Millisecond),
		filepath.Join(dir, "report.html"))
	_, err := io.WriteString(w, text.String())
	return err
}
