package podcmd

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// defaultWgetTimeout is busybox's, for each of its waits.
const defaultWgetTimeout = 900 * time.Second

type wgetOptions struct {
	quiet, spider, show *bool
	output              *string
	headers             *[]string
	post                *string
	wait                *float64
	url                 string
}

// parseWget reads the options of busybox's wget that write no file.
func parseWget(argv []string) (o wgetOptions, ok bool) {
	flags := pflag.NewFlagSet("wget", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o = wgetOptions{
		quiet: flags.BoolP("quiet", "q", false, ""), spider: flags.Bool("spider", false, ""),
		show: flags.BoolP("server-response", "S", false, ""), output: flags.StringP("output-document", "O", "", ""),
		headers: flags.StringArray("header", nil, ""), post: flags.String("post-data", "", ""),
		wait: flags.Float64P("timeout", "T", defaultWgetTimeout.Seconds(), ""),
	}
	flags.IntP("tries", "t", 1, "")
	flags.StringP("user-agent", "U", "", "")
	flags.Bool("no-check-certificate", false, "")
	err := flags.Parse(argv[1:])
	if err != nil || flags.NArg() != 1 {
		return o, false
	}
	o.url = flags.Arg(0)
	return o, *o.spider || *o.output == "-" || *o.output == "/dev/null"
}

// wget makes a request and prints what comes, in the words of busybox's, which Alpine and agnhost have.
func (s *shell) wget(to streams, argv []string) (int, error) {
	n, err := s.network(argv)
	if err != nil {
		return 1, err
	}
	o, ok := parseWget(argv)
	u, isURL := parseURL(o.url)
	if !ok || !isURL {
		return 1, unreadable("%s", strings.Join(argv, " "))
	}
	wait := seconds(*o.wait)
	call := httpCall{url: u, method: http.MethodGet, header: http.Header{"User-Agent": {"Wget"}, "Connection": {"close"}}, connect: wait,
		whole: s.host.Now().Add(wait), trusts: true} // busybox's checks no certificate
	for _, h := range *o.headers {
		name, value, _ := strings.Cut(h, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			call.host = value
			continue
		}
		call.header.Set(name, value)
	}
	if *o.spider {
		call.method = http.MethodHead
	}
	if *o.post != "" {
		call.method, call.body = http.MethodPost, []byte(*o.post)
	}
	for range mostRedirects {
		answer, err := s.do(n, call)
		if failed := new(callError); errors.As(err, &failed) {
			return s.wgetTrouble(n, o, answer, failed, call)
		}
		if err != nil {
			return 1, err
		}
		next, noPlace := answer.Location()
		if noPlace != nil || answer.StatusCode/100 != 3 {
			code, err := s.wgetBody(to, o, answer, call)
			answer.conn.Close()
			return code, err
		}
		answer.conn.Close()
		call.url = next
	}
	return s.complain(1, "wget: too many redirections")
}

func (s *shell) wgetTrouble(n Networked, o wgetOptions, answer *httpAnswer, failed *callError, call httpCall) (int, error) {
	if failed.stage == stageName {
		return s.complain(1, "wget: bad address '%s'", call.url.Hostname())
	}
	if !*o.quiet {
		if _, err := s.complain(0, "Connecting to %s (%s)", call.url.Host, answer.at); err != nil {
			return 1, err
		}
	}
	switch {
	case errors.Is(failed.err, errNoAnswer) && call.connect < patience, isTimeout(failed.err):
		return s.complain(1, "wget: download timed out")
	case failed.stage == stageConnect:
		return s.complain(1, "wget: can't connect to remote host (%s): %s", answer.at.Addr(), trouble(n, failed.err))
	case failed.stage == stageTLS:
		return s.complain(1, "wget: TLS error from peer (alert code 80): internal error")
	}
	return s.complain(1, "wget: error getting response: Connection reset by peer")
}

func (s *shell) wgetBody(to streams, o wgetOptions, answer *httpAnswer, call httpCall) (int, error) {
	say := func(text string) error { return s.print(streams{stderr: true}, text) }
	if !*o.quiet {
		if err := say(fmt.Sprintf("Connecting to %s (%s)\n", call.url.Host, answer.at)); err != nil {
			return 1, err
		}
	}
	if *o.show {
		head := strings.ReplaceAll(strings.TrimSuffix(headOf(answer.Response), "\r\n\r\n"), "\r\n", "\n  ")
		if err := say("  " + head + "\n"); err != nil {
			return 1, err
		}
	}
	if answer.StatusCode >= 400 {
		return s.complain(1, "wget: server returned error: %s %s", answer.Proto, answer.Status)
	}
	if *o.spider {
		if *o.quiet {
			return 0, nil
		}
		return 0, say("remote file exists\n")
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBody))
	if *o.output == "/dev/null" {
		to.silent = true
	}
	if printed := s.print(to, string(body)); printed != nil {
		return 1, printed
	}
	switch {
	case err != nil && isTimeout(err):
		return s.complain(1, "wget: download timed out")
	case err != nil:
		return s.complain(1, "wget: connection closed prematurely")
	case *o.quiet:
		return 0, nil
	}
	where, name := "written to stdout\n", "-"
	if *o.output != "-" {
		where, name = fmt.Sprintf("'%s' saved\n", *o.output), path.Base(*o.output)
	}
	return 0, say(fmt.Sprintf("%-20.20s 100%% |********************************| %5d  0:00:00 ETA\n%s", name, len(body), where))
}

// mostBody is how much of an answer is read at once.
const mostBody = 8 << 20
