package api

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// MetricsQuestion asks in PromQL about the last hour of the region's metrics.
type MetricsQuestion struct {
	Query string `json:"query"`
	// At is the time that is asked about, or the last of those; zero: now.
	At time.Time `json:"at,omitzero"`
	// Since is how far before At a range of times begins; 0: At alone.
	Since time.Duration `json:"since,omitzero"`
	// Step is the time between those of a range; 0: a hundredth of Since, and a second at least.
	Step time.Duration `json:"step,omitzero"`
}

// MetricsAnswer answers a MetricsQuestion.
type MetricsAnswer struct {
	// Type is vector, matrix, scalar or string, as PromQL has them. All but a string have Series: a vector's have a point each.
	Type     string   `json:"type"`
	Text     string   `json:"text,omitempty"` // a string's
	Series   []Series `json:"series,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // of the engine, such as a rate of what is no counter
}

// Series is a part of a MetricsAnswer.
type Series struct {
	Labels map[string]string `json:"labels"`
	Points []Point           `json:"points"`
}

// Point is a metric's value at a time.
type Point struct {
	At    time.Time `json:"at"`
	Value Number    `json:"value"`
}

// Number is a float64 that may be NaN, +Inf or -Inf: in JSON it is a string, as in Prometheus' own API.
type Number float64

func (n Number) String() string { return strconv.FormatFloat(float64(n), 'g', -1, 64) }

// MarshalText writes it as Prometheus does.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (n *Number) UnmarshalText(text []byte) error {
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%q is no number", text)
	}
	*n = Number(v)
	return nil
}

// IsNaN says that a question about it has no answer, such as a rate where nothing has happened divided by another.
func (n Number) IsNaN() bool { return math.IsNaN(float64(n)) }
