package cli

import (
	"fmt"
	"strings"
	"time"

	"tripod/api"
)

// mostCronJobs is how many the table of the status has: those with the latest runs.
const mostCronJobs = 20

// cronJobLines is the table of the clusters' CronJobs: the last run of each, and how those went that the cluster still has.
func cronJobLines(status *api.Status, now time.Time) (lines []string) {
	row := func(name, last, late, result, took, failed, missed, next string) string {
		return strings.TrimRight(pad(name, 28)+" "+pad(last, -4)+" "+pad(late, -4)+"  "+pad(result, 9)+" "+pad(took, -4)+" "+pad(failed, -6)+" "+
			pad(missed, -6)+"  "+pad(next, 9), " ")
	}
	for _, cluster := range status.Clusters {
		lines = append(lines, reasonLines("", cluster.CronJobsTrouble)...)
		for i, c := range cluster.CronJobs {
			if i == mostCronJobs {
				lines = append(lines, fmt.Sprintf("  and %d more of cluster %s: 'tripod status -o json' has up to 500", len(cluster.CronJobs)-i,
					clip(clean(cluster.Name), 20)))
				break
			}
			name := c.Namespace + "/" + c.Name
			if len(status.Clusters) > 1 {
				name = cluster.Name + ": " + name
			}
			last, late, result, took := "-", "-", "-", "-"
			failed := 0
			for _, run := range c.Runs {
				if run.Result == api.RunFailed {
					failed++
				}
			}
			if len(c.Runs) > 0 {
				run := c.Runs[0]
				last, result = age(now.Sub(run.Due)), run.Result
				if run.Started != nil {
					late, took = age(run.Late()), age(run.Took(now))
				}
			}
			lines = append(lines, row(clean(name), last, late, result, took, fmt.Sprintf("%d/%d", failed, len(c.Runs)),
				missedStarts(c), nextStart(c, now)))
			lines = append(lines, reasonLines("", c.Trouble)...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return append([]string{row("CRONJOB", "LAST", "LATE", "RESULT", "TOOK", "FAILED", "MISSED", "NEXT")}, lines...)
}

func missedStarts(c api.CronJob) string {
	if c.Missed >= api.MostMissed {
		return fmt.Sprintf("%d+", api.MostMissed)
	}
	return fmt.Sprint(c.Missed)
}

func nextStart(c api.CronJob, now time.Time) string {
	switch {
	case c.Suspended:
		return "suspended"
	case c.Next == nil:
		return "never"
	case c.Next.After(now):
		return "in " + age(c.Next.Sub(now))
	}
	return "due " + age(now.Sub(*c.Next))
}
