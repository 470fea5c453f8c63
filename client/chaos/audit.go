package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/client/chaos/report"
	"tripod/internal/kubecall"
)

const (
	// auditPast is how far back the audit log is read before a run; auditTimeout is how long that may take.
	auditPast, auditTimeout = time.Hour, 15 * time.Second
	// repeatedWithin is how soon a client that repeats a request does so.
	repeatedWithin = time.Minute
	// mostFailing is how many clients are looked at, mostAudited how many events of each, and mostPages in how many answers.
	mostFailing, mostAudited, mostPages = 20, 2_000, 10
)

// auditEvent is what is read of an event of the API servers' audit log (audit.k8s.io/v1).
type auditEvent struct {
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	UserAgent  string    `json:"userAgent"`
	Received   time.Time `json:"requestReceivedTimestamp"`
	User       struct {
		Name string `json:"username"`
	} `json:"user"`
}

// auditedClient is a program as the audit log knows it.
type auditedClient struct{ agent, user string }

func (e auditEvent) client() auditedClient { return auditedClient{e.UserAgent, e.User.Name} }

func (c auditedClient) String() string {
	program, _, _ := strings.Cut(c.agent, " ")
	return cmp.Or(program, "a client without a name") + " as " + c.user
}

// own says whether a program is a part of the cluster or of Tripod, and not the user's.
func (c auditedClient) own() bool {
	system := strings.HasPrefix(c.user, "system:") && (!strings.HasPrefix(c.user, "system:serviceaccount:") ||
		strings.HasPrefix(c.user, "system:serviceaccount:kube-system:"))
	return system || strings.HasPrefix(c.user, "eks:") || strings.HasPrefix(c.agent, "tripod-")
}

// repeats counts a client's requests that failed, as the server could not answer them, and those of them that it has sent again.
type repeats struct{ failed, again int }

// eventsOf asks for the audit log's events that have a pattern, of a time, oldest first. Until is up to when they are all there: there may
// be more than are read.
type eventsOf func(ctx context.Context, pattern string, from, to time.Time) (all []auditEvent, until time.Time, err error)

// failures are the ends of requests that a client should repeat. A watch is always begun anew.
const failures = `{ $.stage = "ResponseComplete" && $.verb != "watch" && ($.responseStatus.code = 429 || $.responseStatus.code >= 500) }`

// readRepeats says of the users' clients whose requests failed between two times whether they repeated them.
func readRepeats(ctx context.Context, events eventsOf, from, to time.Time) (map[string]repeats, error) {
	failed, _, err := events(ctx, failures, from, to)
	if err != nil {
		return nil, err
	}
	of := map[auditedClient][]auditEvent{}
	for _, e := range failed {
		if c := e.client(); !c.own() && (of[c] != nil || len(of) < mostFailing) {
			of[c] = append(of[c], e)
		}
	}
	counted := map[string]repeats{} // by the clients' names
	for c, failed := range of {
		slices.SortFunc(failed, func(a, b auditEvent) int { return a.Received.Compare(b.Received) })
		pattern := fmt.Sprintf(`{ $.stage = "ResponseComplete" && $.userAgent = %q && $.user.username = %q }`, c.agent, c.user)
		sent, until, err := events(ctx, pattern, failed[0].Received, failed[len(failed)-1].Received.Add(repeatedWithin))
		if err != nil {
			return nil, err
		}
		one := counted[c.String()]
		for _, f := range failed {
			if f.Received.Add(repeatedWithin).After(until) {
				break // it may still be repeated, or was, and nobody has read so far
			}
			one.failed++
			if slices.ContainsFunc(sent, func(e auditEvent) bool { return isRepeat(f, e) }) {
				one.again++
			}
		}
		if one.failed > 0 {
			counted[c.String()] = one
		}
	}
	return counted, nil
}

func isRepeat(of, e auditEvent) bool {
	return e.Verb == of.Verb && e.RequestURI == of.RequestURI && e.Received.After(of.Received) &&
		e.Received.Before(of.Received.Add(repeatedWithin))
}

// kindClient is that of findings about programs.
const kindClient = "client"

// addClients finds the clients that do not repeat what fails. A cluster without an audit log has none.
func (f *forecast) addClients(seen map[string]repeats) {
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if one := seen[name]; one.again < one.failed {
			f.add(kindClient, name, "in the last hour %d of its requests failed, and it repeated %d: what fails under the faults is lost to it",
				one.failed, one.again)
		}
	}
}

// compareClients says what came of the clients that were found, and adds those that nobody foresaw.
func (f *forecast) compareClients(seen map[string]repeats) {
	foreseen := map[string]bool{}
	for i, one := range f.findings {
		if one.Kind == kindClient && one.Object != "" {
			foreseen[one.Object] = true
			f.findings[i].Came = seen[one.Object].String()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if one := seen[name]; one.again < one.failed && !foreseen[name] {
			f.findings = append(f.findings, report.Finding{Kind: kindClient, Object: name, Why: "nobody foresaw it", Came: one.String()})
		}
	}
}

func (r repeats) String() string {
	if r.failed == 0 {
		return "none of its requests failed"
	}
	return fmt.Sprintf("%d of its requests failed, and it repeated %d", r.failed, r.again)
}

// readRepeats reads them from the cluster's audit log.
func (r *run) readRepeats(ctx context.Context, from, to time.Time) (map[string]repeats, error) {
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	seen, err := readRepeats(ctx, r.auditEvents, from, to)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	return seen, nil
}

// auditEvents asks CloudWatch Logs for the audit log. A cluster whose audit log is off has no event.
func (r *run) auditEvents(ctx context.Context, pattern string, from, to time.Time) (all []auditEvent, until time.Time, err error) {
	if until = to; until.After(time.Now()) {
		until = time.Now()
	}
	in := map[string]any{"logGroupName": "/aws/eks/" + r.experiment.Cluster + "/cluster", "logStreamNamePrefix": "kube-apiserver-audit-",
		"filterPattern": pattern, "startTime": from.UnixMilli(), "endTime": to.UnixMilli(), "limit": mostAudited}
	for range mostPages {
		var out struct {
			Events    []struct{ Message string }
			NextToken string
		}
		err := r.logsCall(ctx, "FilterLogEvents", in, &out)
		var refused *kubecall.StatusError
		if errors.As(err, &refused) && strings.Contains(refused.Text, "ResourceNotFoundException") {
			return nil, until, nil
		} else if err != nil {
			return nil, until, err
		}
		for _, e := range out.Events {
			var event auditEvent
			if json.Unmarshal([]byte(e.Message), &event) == nil {
				all = append(all, event)
			}
		}
		if in["nextToken"] = out.NextToken; out.NextToken == "" {
			return all, until, nil
		}
		if len(all) >= mostAudited {
			break
		}
	}
	if len(all) > 0 {
		until = all[len(all)-1].Received
	}
	return all, until, nil
}

// logsCall makes a signed call of CloudWatch Logs.
func (r *run) logsCall(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.awsEndpoint+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Logs_20140328."+operation)
	if err := r.sign(request, body, "logs"); err != nil {
		return err
	}
	calls := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return kubecall.Do(calls, request, out)
}
