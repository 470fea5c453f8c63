package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	// mostSamples is how many samples a question may have in memory, of 16 bytes each.
	mostSamples = 5_000_000
	// mostAnswered is how many series an answer has at most.
	mostAnswered = 10_000
	// mostSteps is how many times a range may have, as Prometheus has it.
	mostSteps = 11_000
	// timeout is how long a question may take.
	timeout = 10 * time.Second
)

// A Question is one in PromQL.
type Question struct {
	Query    string
	At       time.Time     // the time that is asked about, or the last of those
	Since    time.Duration // how far before At the range begins; 0: At alone
	Interval time.Duration // between the range's times; 0: Since/100, and a second at least
}

// An Answer has one series of one point for each element of an instant's vector, and for a scalar one without labels.
type Answer struct {
	Type     parser.ValueType // vector, matrix, scalar or string
	Text     string           // a string's
	Series   []Series
	Warnings []string
}

// Series is a part of an answer.
type Series struct {
	Labels map[string]string
	Points []Point // by their times
}

// Point is a value at a time. It may be NaN or an infinity.
type Point struct {
	At    time.Time
	Value float64
}

// ErrQuery is in the errors about questions that cannot be answered as they are.
var ErrQuery = errors.New("cannot answer this query")

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{Logger: slog.New(slog.DiscardHandler), MaxSamples: mostSamples, Timeout: timeout,
		EnableAtModifier: true, EnableNegativeOffset: true})
}

// Ask answers a question. Its errors are ErrQuery, with what is wrong with the question, or that ctx has ended.
func (s *Store) Ask(ctx context.Context, q Question) (Answer, error) {
	query, err := s.query(ctx, q)
	if err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{}, fmt.Errorf("%w: %w", ErrQuery, result.Err)
	}
	answer := Answer{Type: result.Value.Type()}
	warnings, infos := result.Warnings.AsStrings(q.Query, 10, 10)
	answer.Warnings = append(warnings, infos...)
	switch value := result.Value.(type) {
	case promql.Vector:
		for _, sample := range value {
			answer.Series = append(answer.Series, Series{sample.Metric.Map(), []Point{point(sample.T, sample.F)}})
		}
	case promql.Matrix:
		for _, series := range value {
			one := Series{Labels: series.Metric.Map()}
			for _, p := range series.Floats {
				one.Points = append(one.Points, point(p.T, p.F))
			}
			answer.Series = append(answer.Series, one)
		}
	case promql.Scalar:
		answer.Series = []Series{{map[string]string{}, []Point{point(value.T, value.V)}}}
	case promql.String:
		answer.Text = value.V
	}
	if len(answer.Series) > mostAnswered {
		return Answer{}, fmt.Errorf("%w: its answer has %d series, and %d are the most: aggregate them, or name fewer", ErrQuery,
			len(answer.Series), mostAnswered)
	}
	return answer, nil
}

func (s *Store) query(ctx context.Context, q Question) (promql.Query, error) {
	if q.Since <= 0 {
		return s.engine.NewInstantQuery(ctx, s, nil, q.Query, q.At)
	}
	interval := q.Interval
	if interval <= 0 {
		interval = max(time.Second, q.Since/100)
	}
	if q.Since/interval > mostSteps {
		return nil, fmt.Errorf("%s in steps of %s are more than %d times: take longer steps", q.Since, interval, mostSteps)
	}
	return s.engine.NewRangeQuery(ctx, s, nil, q.Query, q.At.Add(-q.Since), q.At, interval)
}

func point(at int64, v float64) Point { return Point{time.UnixMilli(at), v} }

// Names are the names of the metrics that a query is about; one is empty where a selector names none. Its error is ErrQuery.
func Names(query string) (names []string, err error) {
	expression, err := parser.ParseExpr(query)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			names = append(names, selector.Name)
		}
		return nil
	})
	return names, nil
}
