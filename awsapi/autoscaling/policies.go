package autoscaling

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// scalingPolicy says how a group is scaled.
type scalingPolicy struct {
	ID       string `json:"id"` // a UUID
	Group    string `json:"group"`
	Name     string `json:"name"`
	ARN      string `json:"arn"`
	Type     string `json:"type"`
	Disabled bool   `json:"disabled,omitempty"`

	Adjustment  string           `json:"adjustment,omitempty"`
	Change      *int             `json:"change,omitempty"` // ScalingAdjustment
	MinStep     *int             `json:"minStep,omitempty"`
	Magnitude   *int             `json:"magnitude,omitempty"`
	Cooldown    *int             `json:"cooldown,omitempty"`
	Aggregation string           `json:"aggregation,omitempty"`
	Steps       []stepAdjustment `json:"steps,omitempty"`
	Warmup      *int             `json:"warmup,omitempty"`
	Target      *targetTracking  `json:"target,omitempty"`
	// Predictive is recorded, in the form of parameters of the query protocol below PredictiveScalingConfiguration.
	Predictive json.RawMessage `json:"predictive,omitempty"`
}

type stepAdjustment struct {
	Lower             *float64 `query:"MetricIntervalLowerBound" xml:"MetricIntervalLowerBound" json:"MetricIntervalLowerBound,omitempty"`
	Upper             *float64 `query:"MetricIntervalUpperBound" xml:"MetricIntervalUpperBound" json:"MetricIntervalUpperBound,omitempty"`
	ScalingAdjustment int
}

type predefinedMetric struct {
	Type          string `query:"PredefinedMetricType" xml:"PredefinedMetricType" json:"PredefinedMetricType"`
	ResourceLabel string `xml:",omitempty" json:",omitempty"`
}

type dimension struct{ Name, Value string }

type metricName struct {
	Namespace, MetricName string
	Dimensions            wire.QueryList[dimension] `json:",omitempty"`
}

type metricStat struct {
	Metric metricName
	Stat   string
	Unit   string `xml:",omitempty" json:",omitempty"`
	Period *int   `json:",omitempty"`
}

type metricQuery struct {
	ID         string      `query:"Id" xml:"Id" json:"Id"`
	Expression string      `xml:",omitempty" json:",omitempty"`
	MetricStat *metricStat `json:",omitempty"`
	Label      string      `xml:",omitempty" json:",omitempty"`
	Period     *int        `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"`
}

type customizedMetric struct {
	MetricName string                      `xml:",omitempty" json:",omitempty"`
	Namespace  string                      `xml:",omitempty" json:",omitempty"`
	Dimensions wire.QueryList[dimension]   `xml:",omitempty" json:",omitempty"`
	Statistic  string                      `xml:",omitempty" json:",omitempty"`
	Unit       string                      `xml:",omitempty" json:",omitempty"`
	Period     *int                        `json:",omitempty"`
	Metrics    wire.QueryList[metricQuery] `xml:",omitempty" json:",omitempty"`
}

type targetTracking struct {
	Predefined     *predefinedMetric `query:"PredefinedMetricSpecification" xml:"PredefinedMetricSpecification" json:"PredefinedMetricSpecification,omitempty"`
	Customized     *customizedMetric `query:"CustomizedMetricSpecification" xml:"CustomizedMetricSpecification" json:"CustomizedMetricSpecification,omitempty"`
	TargetValue    *float64
	DisableScaleIn *bool `json:",omitempty"`
}

// metric is the name of the metric that is tracked.
func (t *targetTracking) metric() string {
	if t.Predefined != nil {
		return predefinedMetrics[t.Predefined.Type]
	}
	if t.Customized != nil {
		return t.Customized.MetricName
	}
	return ""
}

func (t *targetTracking) noScaleIn() bool { return t.DisableScaleIn != nil && *t.DisableScaleIn }

// scalingPolicies are by group and name.
var scalingPolicies = state.NewTable[scalingPolicy]("auto-scaling-policy")

func (p scalingPolicy) key() string { return p.Group + "/" + p.Name }

const (
	simpleScaling, stepScaling = "SimpleScaling", "StepScaling"
	trackingScaling            = "TargetTrackingScaling"
	predictiveScaling          = "PredictiveScaling"
	maxPolicies                = 50 // of a group
)

// adjustmentTypes are the ways to change a capacity.
var adjustmentTypes = []string{"ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"}

type putPolicyInput struct {
	groupNamed
	PolicyName              string
	PolicyType              *string
	AdjustmentType          string
	MinAdjustmentStep       *int
	MinAdjustmentMagnitude  *int
	ScalingAdjustment       *int
	Cooldown                *int
	MetricAggregationType   string
	StepAdjustments         []stepAdjustment
	EstimatedInstanceWarmup *int
	Target                  *targetTracking `query:"TargetTrackingConfiguration"`
	Enabled                 *bool
	Predictive              *predictive `query:"PredictiveScalingConfiguration"`
}

type alarm struct{ AlarmName, AlarmARN string }

type putPolicyOutput struct {
	PolicyARN string
	Alarms    wire.QueryList[alarm]
}

func (s *Service) putScalingPolicy(call *operation.Call, in *putPolicyInput) (*putPolicyOutput, error) {
	out := &putPolicyOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		if _, found := region.AutoScalingGroups.Get(tx, in.AutoScalingGroupName); !found &&
			!s.isSimulated(tx, in.AutoScalingGroupName) {
			return invalid("Group %s not found", wire.Clip(in.AutoScalingGroupName))
		}
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		p := scalingPolicy{ID: wire.NewRequestID(), Group: g.Name, Name: in.PolicyName}
		if was, found := scalingPolicies.Get(tx, p.key()); found {
			p.ID = was.ID
		} else if len(policiesOf(tx, g.Name)) >= maxPolicies {
			return refuse("LimitExceeded", "The Auto Scaling group has %d scaling policies: delete some first.", maxPolicies)
		}
		p.ARN = s.arn("scalingPolicy:" + p.ID + ":autoScalingGroupName/" + g.Name + ":policyName/" + p.Name)
		if err := in.fill(&p); err != nil {
			return err
		}
		scalingPolicies.Put(tx, p.key(), p)
		out.PolicyARN, out.Alarms = p.ARN, s.alarmsOf(p)
		return nil
	})
}

// fill gives a policy what is given.
func (in *putPolicyInput) fill(p *scalingPolicy) error {
	p.Type = simpleScaling
	take(&p.Type, in.PolicyType)
	p.Adjustment, p.Change, p.MinStep, p.Magnitude = in.AdjustmentType, in.ScalingAdjustment, in.MinAdjustmentStep,
		in.MinAdjustmentMagnitude
	p.Cooldown, p.Aggregation, p.Steps, p.Warmup = in.Cooldown, in.MetricAggregationType, in.StepAdjustments,
		in.EstimatedInstanceWarmup
	p.Target, p.Disabled = in.Target, in.Enabled != nil && !*in.Enabled
	switch p.Type {
	case simpleScaling, stepScaling:
		if !slices.Contains(adjustmentTypes, p.Adjustment) {
			return invalid("You must specify an AdjustmentType for policy type: %s. The valid ones are %s.", p.Type,
				strings.Join(adjustmentTypes, ", "))
		}
		if p.Type == simpleScaling && p.Change == nil {
			return invalid("You must specify a ScalingAdjustment for policy type: SimpleScaling")
		}
		if p.Type == stepScaling {
			if len(p.Steps) == 0 {
				return invalid("You must specify StepAdjustments for policy type: StepScaling")
			}
			if p.Aggregation == "" {
				p.Aggregation = "Average"
			}
		}
	case trackingScaling:
		if t := p.Target; t == nil || t.TargetValue == nil || t.Predefined == nil && t.Customized == nil {
			return invalid("You must specify a TargetTrackingConfiguration with a TargetValue and a metric for policy type: " +
				"TargetTrackingScaling")
		}
	case predictiveScaling:
		if in.Predictive == nil {
			return invalid("You must specify a PredictiveScalingConfiguration for policy type: PredictiveScaling")
		}
		p.Predictive, _ = json.Marshal(in.Predictive) // a struct of strings, numbers and lists
	default:
		return invalid("Invalid PolicyType %s: the valid ones are SimpleScaling, StepScaling, TargetTrackingScaling and "+
			"PredictiveScaling.", wire.Clip(p.Type))
	}
	return nil
}

// alarmsOf are the alarms that AWS makes for a policy. They are names only: there is no CloudWatch.
func (s *Service) alarmsOf(p scalingPolicy) (all []alarm) {
	if p.Type != trackingScaling {
		return nil
	}
	for _, kind := range []string{"AlarmHigh", "AlarmLow"} {
		name := "TargetTracking-" + p.Group + "-" + kind + "-" + p.ID
		all = append(all, alarm{name, "arn:aws:cloudwatch:" + s.Network.VPC.Region + ":" + s.Network.VPC.AccountID +
			":alarm:" + name})
	}
	return all
}

type describePoliciesInput struct {
	groupNamed
	pageInput
	PolicyNames, PolicyTypes []string
}

type policyShown struct {
	AutoScalingGroupName, PolicyName, PolicyARN, PolicyType string
	AdjustmentType                                          string `xml:",omitempty" json:",omitempty"`
	MinAdjustmentStep                                       *int   `json:",omitempty"`
	MinAdjustmentMagnitude                                  *int   `json:",omitempty"`
	ScalingAdjustment                                       *int   `json:",omitempty"`
	Cooldown                                                *int   `json:",omitempty"`
	StepAdjustments                                         wire.QueryList[stepAdjustment]
	MetricAggregationType                                   string `xml:",omitempty" json:",omitempty"`
	EstimatedInstanceWarmup                                 *int   `json:",omitempty"`
	Alarms                                                  wire.QueryList[alarm]
	Target                                                  *targetTracking `xml:"TargetTrackingConfiguration" json:"TargetTrackingConfiguration,omitempty"`
	Enabled                                                 bool
	Predictive                                              *predictive `xml:"PredictiveScalingConfiguration" json:"PredictiveScalingConfiguration,omitempty"`
}

type describePoliciesOutput struct {
	ScalingPolicies wire.QueryList[policyShown]
	NextToken       string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describePolicies(call *operation.Call, in *describePoliciesInput) (*describePoliciesOutput, error) {
	var all []policyShown
	err := s.State.View(func(tx *state.Txn) error {
		if in.AutoScalingGroupName != "" {
			if _, err := s.group(tx, in.AutoScalingGroupName); err != nil {
				return err
			}
		}
		for _, p := range policiesIn(tx, in.AutoScalingGroupName) {
			if len(in.PolicyTypes) > 0 && !slices.Contains(in.PolicyTypes, p.Type) ||
				len(in.PolicyNames) > 0 && !slices.Contains(in.PolicyNames, p.Name) && !slices.Contains(in.PolicyNames, p.ARN) {
				continue
			}
			shown := policyShown{p.Group, p.Name, p.ARN, p.Type, p.Adjustment, p.MinStep, p.Magnitude, p.Change, p.Cooldown,
				p.Steps, p.Aggregation, p.Warmup, s.alarmsOf(p), p.Target, !p.Disabled, nil}
			if len(p.Predictive) > 0 {
				shown.Predictive = &predictive{}
				if err := json.Unmarshal(p.Predictive, shown.Predictive); err != nil {
					return err
				}
			}
			all = append(all, shown)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &describePoliciesOutput{}
	out.ScalingPolicies, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(p policyShown) string { return p.AutoScalingGroupName + "/" + p.PolicyName })
	return out, err
}

type policyInput struct {
	AutoScalingGroupName string
	PolicyName           string
}

// groupName is the group's; where it is not given, the policy's name or ARN tells it.
func (in *policyInput) groupName(tx *state.Txn) string {
	if in.AutoScalingGroupName != "" {
		return in.AutoScalingGroupName
	}
	p, _ := in.find(tx)
	return p.Group
}

// policiesIn are a group's policies; without a group, all.
func policiesIn(tx *state.Txn, group string) []scalingPolicy {
	if group == "" {
		return scalingPolicies.List(tx)
	}
	return policiesOf(tx, group)
}

func (in *policyInput) find(tx *state.Txn) (scalingPolicy, error) {
	if p, found := scalingPolicies.Get(tx, in.AutoScalingGroupName+"/"+in.PolicyName); found {
		return p, nil
	}
	var named []scalingPolicy
	for _, p := range policiesIn(tx, in.AutoScalingGroupName) {
		if p.ARN == in.PolicyName {
			return p, nil
		}
		if p.Name == in.PolicyName {
			named = append(named, p)
		}
	}
	if len(named) == 1 {
		return named[0], nil
	}
	return scalingPolicy{}, invalid("Policy %s not found", wire.Clip(in.PolicyName))
}

func (s *Service) deletePolicy(call *operation.Call, in *policyInput) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		p, err := in.find(tx)
		if err == nil {
			scalingPolicies.Delete(tx, p.key())
		}
		return err
	})
}

type executePolicyInput struct {
	policyInput
	HonorCooldown                *bool
	MetricValue, BreachThreshold *float64
}

func (s *Service) executePolicy(call *operation.Call, in *executePolicyInput) (*none, error) {
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		p, err := in.find(tx)
		if err != nil {
			return err
		}
		return s.follow(tx, p, in, now)
	})
}

// Follow has a policy followed as an alarm has it, for a value of a metric and the threshold that it crossed.
func (s *Service) Follow(tx *state.Txn, policyARN string, value, threshold float64, now time.Time) error {
	honored := true
	in := &executePolicyInput{policyInput: policyInput{PolicyName: policyARN}, HonorCooldown: &honored, MetricValue: &value,
		BreachThreshold: &threshold}
	p, err := in.find(tx)
	if err != nil {
		return err
	}
	if p.Disabled {
		return invalid("Policy %s is disabled", wire.Clip(p.Name))
	}
	return s.follow(tx, p, in, now)
}

// follow changes a group's capacity as a policy has it.
func (s *Service) follow(tx *state.Txn, p scalingPolicy, in *executePolicyInput, now time.Time) error {
	g, err := s.liveGroup(tx, p.Group)
	if err != nil {
		return err
	}
	wants, err := in.capacity(p, g.Desired)
	if err != nil {
		return err
	}
	if in.HonorCooldown != nil && *in.HonorCooldown && p.Type == simpleScaling && now.Before(g.CooledAt) {
		return refuse("ScalingActivityInProgress", "%s", coolsDown(g))
	}
	wants = max(g.Min, min(wants, g.Max))
	g.ScaledAt = now
	cooldown := g.Cooldown
	take(&cooldown, p.Cooldown)
	g.CooledAt = now.Add(time.Duration(cooldown) * time.Second)
	return s.ask(tx, g, wants, at(now, saysPolicy, p.Name, g.Desired, wants))
}

// capacity is the one that a policy makes of another.
func (in *executePolicyInput) capacity(p scalingPolicy, has int) (int, error) {
	change := 0
	switch p.Type {
	case simpleScaling:
		change = *p.Change
	case stepScaling:
		if in.MetricValue == nil || in.BreachThreshold == nil {
			return 0, invalid("MetricValue and BreachThreshold are required for policy type: StepScaling")
		}
		beyond := *in.MetricValue - *in.BreachThreshold
		i := slices.IndexFunc(p.Steps, func(a stepAdjustment) bool {
			return (a.Lower == nil || beyond >= *a.Lower) && (a.Upper == nil || beyond < *a.Upper)
		})
		if i < 0 {
			return 0, invalid("There is no step adjustment for the metric value and breach threshold provided.")
		}
		change = p.Steps[i].ScalingAdjustment
	default:
		return 0, invalid("Policy type %s cannot be executed.", p.Type)
	}
	return adjusted(p, has, change), nil
}

// adjusted is a capacity after a change, as the adjustment type means it.
func adjusted(p scalingPolicy, has, change int) int {
	switch p.Adjustment {
	case "ExactCapacity":
		return change
	case "PercentChangeInCapacity":
		// AWS rounds towards zero, but what is between 0 and 1 is 1.
		exact := float64(has) * float64(change) / 100
		by := int(math.Trunc(exact))
		if by == 0 && change != 0 {
			by = int(math.Copysign(1, exact))
		}
		least := 0
		take(&least, p.MinStep)
		take(&least, p.Magnitude)
		if by > 0 {
			by = max(by, least)
		} else if by < 0 {
			by = min(by, -least)
		}
		return has + by
	}
	return has + change
}
