package logs

import (
	"cmp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/state"
)

const (
	// mostQueries is how many queries are remembered, and queryAge for how long: the oldest go first.
	mostQueries, queryAge = 200, 7 * day
	// queryTime is how long a query runs at most, and mostRunning how many may at once ("CloudWatch Logs quotas").
	queryTime, mostRunning = 60 * time.Minute, 100
	// mostDefinitions is how many query definitions there may be.
	mostDefinitions = 1000
)

// query is a query of Logs Insights that was started, by its id. Its rows are in no record: each zone has the events, and so
// can find them, see searches.
type query struct {
	ID     string   `json:"id"`
	Text   string   `json:"text"`
	Groups []string `json:"groups"`
	// From and To are milliseconds since 1970, both included. Limit is how many rows were asked for beside the text; 0: none.
	From      int64     `json:"from"`
	To        int64     `json:"to"`
	Limit     int32     `json:"limit,omitempty"`
	By        string    `json:"by"` // an ARN
	CreatedAt time.Time `json:"createdAt"`
	// Status is empty until the query has ended, in whatever zone first.
	Status   string        `json:"status,omitempty"`
	Duration time.Duration `json:"duration,omitempty"`
	Bytes    float64       `json:"bytes,omitempty"` // scanned
}

// definition is a query that is kept, by its id.
type definition struct {
	ID         string                 `json:"id"`
	Name       string                 `json:"name"`
	Text       string                 `json:"text"`
	Groups     []string               `json:"groups,omitempty"`
	Language   string                 `json:"language,omitempty"` // empty means CWLI
	Parameters []types.QueryParameter `json:"parameters,omitempty"`
	ModifiedAt time.Time              `json:"modifiedAt"`
}

var (
	queries     = state.NewTable[query]("log-query")                 // by id
	definitions = state.NewTable[definition]("log-query-definition") // by id
)

// status is how far the query is, as far as all zones know.
func (q query) status(now time.Time) types.QueryStatus {
	switch {
	case q.Status != "":
		return types.QueryStatus(q.Status)
	case now.Sub(q.CreatedAt) > queryTime:
		return types.QueryStatusTimeout // the zone that ran it is gone, and nobody has asked
	}
	return types.QueryStatusRunning
}

// newestQueries are all that are remembered, the newest first.
func newestQueries(tx *state.Txn) []query {
	all := queries.List(tx)
	slices.SortFunc(all, func(a, b query) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// putQuery remembers a query that begins, unless too many run, and forgets those that are too old or too many.
func putQuery(tx *state.Txn, q query) error {
	running := 0
	for i, old := range newestQueries(tx) {
		if i >= mostQueries-1 || q.CreatedAt.Sub(old.CreatedAt) > queryAge {
			queries.Delete(tx, old.ID)
		} else if old.status(q.CreatedAt) == types.QueryStatusRunning {
			running++
		}
	}
	if running >= mostRunning {
		return limitExceeded("Account maximum query concurrency limit of [%d] reached.", mostRunning)
	}
	queries.Put(tx, q.ID, q)
	return nil
}
