package logs

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	// mostMetricFilters is how many metric filters a group has at most, and mostDimensions how many dimensions a filter's
	// metric has ("CloudWatch Logs quotas").
	mostMetricFilters, mostDimensions = 100, 3
)

// metricFilter is a metric filter as it was asked for.
type metricFilter struct {
	Name         string            `json:"name"`
	Pattern      string            `json:"pattern"`
	Metric       string            `json:"metric"`
	Namespace    string            `json:"namespace"`
	Value        string            `json:"value"` // a number, or what a match has by that selector
	Default      *float64          `json:"default,omitempty"`
	Unit         string            `json:"unit,omitempty"`
	Dimensions   map[string]string `json:"dimensions,omitempty"` // names to selectors
	Transformed  bool              `json:"transformed,omitempty"`
	SystemFields []string          `json:"systemFields,omitempty"`
	Criteria     *string           `json:"criteria,omitempty"`
	CreatedAt    time.Time         `json:"createdAt"`
}

// filter is a metric filter or a subscription filter of a group, which has them in the order of their names.
type filter[F any] interface {
	compare(name string) int
	// replacing is the filter in the place of another one of its name.
	replacing(was F) F
}

func (f metricFilter) compare(name string) int { return strings.Compare(f.Name, name) }

func (f metricFilter) replacing(was metricFilter) metricFilter {
	f.CreatedAt = was.CreatedAt
	return f
}

// putFilter is a group's filters with one more, or with another one of that name; there may be so many.
func putFilter[F filter[F]](filters []F, name string, made F, most int) ([]F, error) {
	filters = slices.Clone(filters)
	at, found := slices.BinarySearchFunc(filters, name, F.compare)
	switch {
	case found:
		filters[at] = made.replacing(filters[at])
	case len(filters) >= most:
		return nil, limitExceeded("Resource limit exceeded.")
	default:
		filters = slices.Insert(filters, at, made)
	}
	return filters, nil
}

// dropFilter is a group's filters without one; kind is what they are.
func dropFilter[F filter[F]](filters []F, name, kind string) ([]F, error) {
	at, found := slices.BinarySearchFunc(filters, name, F.compare)
	if !found {
		return nil, notFound("The specified %s filter does not exist.", kind)
	}
	return slices.Delete(slices.Clone(filters), at, at+1), nil
}

func (s *Service) putMetricFilter(call *operation.Call,
	in *cloudwatchlogs.PutMetricFilterInput) (*cloudwatchlogs.PutMetricFilterOutput, error) {
	name := aws.ToString(in.LogGroupName)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	to := in.MetricTransformations[0] // the model lets no others pass than one
	made := metricFilter{Name: aws.ToString(in.FilterName), Pattern: aws.ToString(in.FilterPattern),
		Metric: aws.ToString(to.MetricName), Namespace: aws.ToString(to.MetricNamespace), Value: aws.ToString(to.MetricValue),
		Default: to.DefaultValue, Unit: string(to.Unit), Dimensions: to.Dimensions, Transformed: in.ApplyOnTransformedLogs,
		SystemFields: in.EmitSystemFieldDimensions, Criteria: in.FieldSelectionCriteria, CreatedAt: s.now()}
	if _, err := newExtractor(call.Request.Context(), made); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutMetricFilterOutput{}, s.editAllowed(call, name, func(_ *state.Txn, g *group) (err error) {
		if err := g.offered(call); err != nil {
			return err
		}
		g.MetricFilters, err = putFilter(g.MetricFilters, made.Name, made, mostMetricFilters)
		return err
	})
}

func (s *Service) deleteMetricFilter(call *operation.Call,
	in *cloudwatchlogs.DeleteMetricFilterInput) (*cloudwatchlogs.DeleteMetricFilterOutput, error) {
	edit := func(_ *state.Txn, g *group) (err error) {
		g.MetricFilters, err = dropFilter(g.MetricFilters, aws.ToString(in.FilterName), "metric")
		return err
	}
	return &cloudwatchlogs.DeleteMetricFilterOutput{}, s.editWith(call, aws.ToString(in.LogGroupName), edit)
}

// grouped is a metric filter with its group's name.
type grouped struct {
	metricFilter
	group string
}

func (s *Service) describeMetricFilters(call *operation.Call,
	in *cloudwatchlogs.DescribeMetricFiltersInput) (*cloudwatchlogs.DescribeMetricFiltersOutput, error) {
	name, prefix := aws.ToString(in.LogGroupName), aws.ToString(in.FilterNamePrefix)
	metric, namespace := aws.ToString(in.MetricName), aws.ToString(in.MetricNamespace)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	if (in.MetricName == nil) != (in.MetricNamespace == nil) {
		return nil, invalid("metricName and metricNamespace must be specified together.")
	}
	var wanted []grouped
	err := s.State.View(func(tx *state.Txn) error {
		if _, found := groups.Get(tx, name); !found && in.LogGroupName != nil {
			return errNoGroup
		}
		for _, g := range groups.List(tx) {
			if in.LogGroupName != nil && g.Name != name {
				continue
			}
			for _, f := range g.MetricFilters {
				if strings.HasPrefix(f.Name, prefix) && (in.MetricName == nil || f.Metric == metric && f.Namespace == namespace) {
					wanted = append(wanted, grouped{f, g.Name})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, name, prefix, metric, namespace}, wanted,
		func(f grouped) string { return f.Name + "\x00" + f.group }, in.Limit, 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeMetricFiltersOutput{MetricFilters: []types.MetricFilter{}, NextToken: next}
	for _, f := range page {
		out.MetricFilters = append(out.MetricFilters, f.describe())
	}
	return out, nil
}

func (f grouped) describe() types.MetricFilter {
	to := types.MetricTransformation{MetricName: &f.Metric, MetricNamespace: &f.Namespace, MetricValue: &f.Value,
		DefaultValue: f.Default, Dimensions: maps.Clone(f.Dimensions), Unit: types.StandardUnit(f.Unit)}
	return types.MetricFilter{FilterName: &f.Name, FilterPattern: &f.Pattern, LogGroupName: &f.group,
		CreationTime: aws.Int64(f.CreatedAt.UnixMilli()), MetricTransformations: []types.MetricTransformation{to},
		ApplyOnTransformedLogs: f.Transformed, EmitSystemFieldDimensions: f.SystemFields, FieldSelectionCriteria: f.Criteria}
}
