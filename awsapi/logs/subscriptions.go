package logs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// maxSubscriptions is how many subscription filters a group has at most ("CloudWatch Logs quotas" of the user guide).
const maxSubscriptions = 2

// subscription is a subscription filter as it was asked for. Nothing is delivered by it: there are no streams and
// functions here.
type subscription struct {
	Name         string    `json:"name"`
	Pattern      string    `json:"pattern"`
	Destination  string    `json:"destination"` // an ARN
	Role         string    `json:"role,omitempty"`
	Distribution string    `json:"distribution"`
	Transformed  bool      `json:"transformed,omitempty"`
	SystemFields []string  `json:"systemFields,omitempty"`
	Criteria     *string   `json:"criteria,omitempty"`
	CreatedAt    time.Time `json:"createdAt"`
}

func (s *Service) putSubscriptionFilter(call *operation.Call,
	in *cloudwatchlogs.PutSubscriptionFilterInput) (*cloudwatchlogs.PutSubscriptionFilterOutput, error) {
	made := subscription{Name: aws.ToString(in.FilterName), Pattern: aws.ToString(in.FilterPattern),
		Destination:  aws.ToString(in.DestinationArn),
		Role:         aws.ToString(in.RoleArn),
		Distribution: cmp.Or(string(in.Distribution), string(types.DistributionByLogStream)),
		Transformed:  in.ApplyOnTransformedLogs, SystemFields: in.EmitSystemFields, Criteria: in.FieldSelectionCriteria,
		CreatedAt: s.now()}
	name := aws.ToString(in.LogGroupName)
	arn := s.streamARN(name, "")
	if err := authorize(call, arn); err != nil {
		return nil, err
	}
	if made.Role != "" {
		if err := call.PassRole(wire.AWSJSON, operation.PassedRole{ARN: made.Role, Service: "logs.amazonaws.com"},
			arn); err != nil {
			return nil, err
		}
	}
	if err := made.checkDestination(); err != nil {
		return nil, err
	}
	if _, err := parsePattern(call.Request.Context(), made.Pattern); err != nil {
		return nil, err
	}
	return &cloudwatchlogs.PutSubscriptionFilterOutput{}, s.editAllowed(call, name, func(_ *state.Txn, g *group) (err error) {
		if err := g.subscribable(); err != nil {
			return err
		}
		g.Subscriptions, err = putFilter(g.Subscriptions, made.Name, made, maxSubscriptions)
		return err
	})
}

func (f subscription) compare(name string) int { return strings.Compare(f.Name, name) }

func (f subscription) replacing(was subscription) subscription {
	f.CreatedAt = was.CreatedAt
	return f
}

// checkDestination refuses what no subscription filter can have as destination, as AWS does. Whether it exists nobody
// here knows.
func (f subscription) checkDestination() error {
	fields := strings.SplitN(f.Destination, ":", 6)
	if len(fields) < 6 || fields[0] != "arn" || fields[5] == "" {
		return invalid("Invalid destinationArn: %.256s", f.Destination)
	}
	switch vendor := fields[2]; vendor {
	case "lambda":
		if f.Role != "" {
			return invalid("destinationArn for vendor lambda cannot be used with roleArn")
		}
	case "kinesis", "firehose":
		if f.Role == "" {
			return invalid("destinationArn for vendor %s cannot be used without roleArn", vendor)
		}
	case "logs":
	default:
		return invalid("PutSubscriptionFilter operation cannot work with destinationArn for vendor %.64s", vendor)
	}
	return nil
}

// subscribable refuses a group that has no subscription filters.
func (g group) subscribable() error {
	if g.class() != types.LogGroupClassStandard {
		return protected("This operation is only supported on the Standard log class.")
	}
	return nil
}

func (s *Service) describeSubscriptionFilters(call *operation.Call,
	in *cloudwatchlogs.DescribeSubscriptionFiltersInput) (*cloudwatchlogs.DescribeSubscriptionFiltersOutput, error) {
	name, prefix := aws.ToString(in.LogGroupName), aws.ToString(in.FilterNamePrefix)
	if err := authorize(call, s.streamARN(name, "")); err != nil {
		return nil, err
	}
	var wanted []subscription
	err := s.State.View(func(tx *state.Txn) error {
		g, found := groups.Get(tx, name)
		if !found {
			return errNoGroup
		}
		wanted = slices.DeleteFunc(slices.Clone(g.Subscriptions),
			func(f subscription) bool { return !strings.HasPrefix(f.Name, prefix) })
		return g.subscribable()
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paged([]string{call.Operation, name, prefix}, wanted,
		func(f subscription) string { return f.Name }, in.Limit, 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []types.SubscriptionFilter{},
		NextToken: next}
	for _, f := range page {
		shown := types.SubscriptionFilter{FilterName: &f.Name, LogGroupName: &name, FilterPattern: &f.Pattern,
			DestinationArn: &f.Destination,
			Distribution:   types.Distribution(f.Distribution), ApplyOnTransformedLogs: f.Transformed,
			EmitSystemFields:       f.SystemFields,
			FieldSelectionCriteria: f.Criteria, CreationTime: aws.Int64(f.CreatedAt.UnixMilli())}
		if f.Role != "" {
			shown.RoleArn = &f.Role
		}
		out.SubscriptionFilters = append(out.SubscriptionFilters, shown)
	}
	return out, nil
}

func (s *Service) deleteSubscriptionFilter(call *operation.Call,
	in *cloudwatchlogs.DeleteSubscriptionFilterInput) (*cloudwatchlogs.DeleteSubscriptionFilterOutput, error) {
	edit := func(_ *state.Txn, g *group) (err error) {
		if err := g.subscribable(); err != nil {
			return err
		}
		g.Subscriptions, err = dropFilter(g.Subscriptions, aws.ToString(in.FilterName), "subscription")
		return err
	}
	return &cloudwatchlogs.DeleteSubscriptionFilterOutput{}, s.editWith(call, aws.ToString(in.LogGroupName), edit)
}
