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

func (f metricFilter) compare(name string) int { return strings.Compare(f.Name, name) }

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
	return &cloudwatchlogs.PutMetricFilterOutput{}, s.change(call, func(tx *state.Txn) error {
		record, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		if err := record.offered(call); err != nil {
			return err
		}
		filters := slices.Clone(record.MetricFilters)
		at, found := slices.BinarySearchFunc(filters, made.Name, metricFilter.compare)
		switch {
		case found:
			changed := made
			changed.CreatedAt = filters[at].CreatedAt
			filters[at] = changed
		case len(filters) >= mostMetricFilters:
			return limitExceeded("Resource limit exceeded.")
		default:
			filters = slices.Insert(filters, at, made)
		}
		record.MetricFilters = filters
		groups.Put(tx, name, record)
		return nil
	})
}

func (s *Service) deleteMetricFilter(call *operation.Call,
	in *cloudwatchlogs.DeleteMetricFilterInput) (*cloudwatchlogs.DeleteMetricFilterOutput, error) {
	name := aws.ToString(in.LogGroupName)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DeleteMetricFilterOutput{}, s.change(call, func(tx *state.Txn) error {
		record, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		at, found := slices.BinarySearchFunc(record.MetricFilters, aws.ToString(in.FilterName), metricFilter.compare)
		if !found {
			return notFound("The specified metric filter does not exist.")
		}
		record.MetricFilters = slices.Delete(slices.Clone(record.MetricFilters), at, at+1)
		groups.Put(tx, name, record)
		return nil
	})
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
