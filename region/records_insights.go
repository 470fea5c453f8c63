package region

import (
	"slices"
	"time"

	"tripod/state"
)

// InsightsRefresh is the last time that somebody asked for a cluster's insights to be computed anew. Every zone then
// reads what its API server has counted.
type InsightsRefresh struct {
	StartedAt time.Time `json:"startedAt"`
}

// InsightsRefreshes are the last refreshes, by the cluster's ID.
var InsightsRefreshes = state.NewTable[InsightsRefresh]("insights-refresh")

// DeprecatedReading is what a zone's API server of a cluster has counted of calls to deprecated APIs.
type DeprecatedReading struct {
	Zone   string    `json:"zone"`
	ReadAt time.Time `json:"readAt"`
	// Refresh is when the last refresh was started that the reading answers.
	Refresh time.Time         `json:"refresh,omitzero"`
	Calls   []DeprecatedCalls `json:"calls,omitempty"`
}

// DeprecatedReadings are the last readings of all zones: see DeprecatedReadingKey.
var DeprecatedReadings = state.NewTable[DeprecatedReading]("deprecated-reading")

// DeprecatedReadingKey is the key of a zone's reading; those of a cluster are under that of the zone "".
func DeprecatedReadingKey(clusterID, zone string) string { return clusterID + "/" + zone }

// DeprecatedAPI is a resource that an API server knows to be deprecated.
type DeprecatedAPI struct {
	Group       string `json:"group,omitempty"`
	Version     string `json:"version"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	// Removed is the first Kubernetes version without it, such as 1.37; empty where none is planned.
	Removed string `json:"removed,omitempty"`
}

// DeprecatedCalls are the calls to one such resource.
type DeprecatedCalls struct {
	API DeprecatedAPI `json:"api"`
	// Counter is what the API server's counter stood at. Every API server begins with none.
	Counter int64 `json:"counter,omitempty"`
	// Found says by day how many calls readings found that the ones before them had not: those of InsightsMemory.
	Found []FoundCalls `json:"found,omitempty"`
}

// FoundCalls are the calls that the readings of a day found new, the last of them At.
type FoundCalls struct {
	At    time.Time `json:"at"`
	Calls int64     `json:"calls"`
}

// InsightsMemory is for how long a call to a deprecated API is held against its client.
const InsightsMemory = 30 * 24 * time.Hour

// Count notes what the counter stands at now, and forgets what is too old.
func (c *DeprecatedCalls) Count(counter int64, now time.Time) {
	found := counter - c.Counter
	if found < 0 { // it is another API server's
		found = counter
	}
	c.Counter, c.Found = counter, c.Lately(now)
	if found == 0 {
		return
	}
	last := len(c.Found) - 1
	if last < 0 || c.Found[last].At.UTC().Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		c.Found = append(c.Found, FoundCalls{})
		last++
	}
	c.Found[last] = FoundCalls{At: now, Calls: c.Found[last].Calls + found}
}

// Lately are the calls that are not too old yet.
func (c *DeprecatedCalls) Lately(now time.Time) []FoundCalls {
	return slices.DeleteFunc(slices.Clone(c.Found), func(f FoundCalls) bool { return now.Sub(f.At) > InsightsMemory })
}
