package cloudwatch

import (
	"fmt"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

const (
	// listed is how long a metric without data is listed, and recent with RecentlyActive.
	listed, recent = 14 * 24 * time.Hour, 3 * time.Hour
	// mostListed is how many metrics a page has.
	mostListed = 500
)

func (s *Service) list(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	namespace, err := textOf(in, "Namespace", "Namespace", 255, false)
	if err != nil {
		return nil, err
	}
	name, err := textOf(in, "MetricName", "MetricName", 255, false)
	if err != nil {
		return nil, err
	}
	filters := itemsOf(in, "Dimensions")
	if len(filters) > 10 {
		return nil, tooMany("Dimensions", 10)
	}
	for i, filter := range filters {
		if text(filter, "Name") == "" {
			return nil, missing(itemOf("Dimensions", i) + ".Name")
		}
	}
	since, owner := s.now().Add(-listed), text(in, "OwningAccount")
	switch active := text(in, "RecentlyActive"); active {
	case "":
	case "PT3H":
		since = s.now().Add(-recent)
	default:
		return nil, badValue("The parameter RecentlyActive must be a value in the set [ PT3H ].")
	}
	s.want(namespace)
	found, err := s.Metrics.Metrics(since, func(m metricdata.Metric) bool {
		if namespace != "" && m.Namespace != namespace || name != "" && m.Name != name || owner != "" && owner != s.AccountID {
			return false
		}
		for _, filter := range filters {
			value, has := m.Value(text(filter, "Name"))
			if !has || text(filter, "Value") != "" && value != text(filter, "Value") {
				return false
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	token := text(in, "NextToken")
	page, next, ok := wire.Page(fmt.Sprint("ListMetrics ", namespace, name, filters), mostListed, &token, found, metricdata.Metric.Key)
	if !ok {
		return nil, badValue("Request parameter NextToken is invalid")
	}
	metrics, owners := []any{}, []any{}
	for _, m := range page {
		metrics = append(metrics, wire.Document{"Namespace": m.Namespace, "MetricName": m.Name, "Dimensions": shownDimensions(m)})
		owners = append(owners, s.AccountID)
	}
	out := wire.Document{"Metrics": metrics}
	if included, _ := in["IncludeLinkedAccounts"].(bool); included {
		out["OwningAccounts"] = owners
	}
	if next != nil {
		out["NextToken"] = *next
	}
	return out, nil
}
