package autoscaling

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// What AWS tells of itself.

type limitsOutput struct {
	MaxNumberOfAutoScalingGroups    int
	MaxNumberOfLaunchConfigurations int
	NumberOfAutoScalingGroups       int
	NumberOfLaunchConfigurations    int
}

func (s *Service) describeAccountLimits(*operation.Call, *none) (*limitsOutput, error) {
	out := &limitsOutput{MaxNumberOfAutoScalingGroups: maxGroups, MaxNumberOfLaunchConfigurations: maxConfigurations}
	return out, s.State.View(func(tx *state.Txn) error {
		out.NumberOfAutoScalingGroups = region.AutoScalingGroups.Part("").Count(tx)
		out.NumberOfLaunchConfigurations = launchConfigurations.Part("").Count(tx)
		return nil
	})
}

type adjustmentType struct{ AdjustmentType string }

type adjustmentTypesOutput struct {
	AdjustmentTypes wire.QueryList[adjustmentType]
}

func describeAdjustmentTypes(*operation.Call, *none) (*adjustmentTypesOutput, error) {
	out := &adjustmentTypesOutput{}
	for _, name := range adjustmentTypes {
		out.AdjustmentTypes = append(out.AdjustmentTypes, adjustmentType{name})
	}
	return out, nil
}

type notificationTypesOutput struct {
	Types wire.QueryList[string] `xml:"AutoScalingNotificationTypes" json:"AutoScalingNotificationTypes"`
}

func describeNotificationTypes(*operation.Call, *none) (*notificationTypesOutput, error) {
	return &notificationTypesOutput{notificationTypes}, nil
}

type hookTypesOutput struct {
	LifecycleHookTypes wire.QueryList[string]
}

func describeLifecycleHookTypes(*operation.Call, *none) (*hookTypesOutput, error) {
	return &hookTypesOutput{wire.QueryList[string]{region.HookLaunching, region.HookTerminating}}, nil
}

type metricType struct{ Metric string }

type granularityType struct{ Granularity string }

type metricTypesOutput struct {
	Metrics       wire.QueryList[metricType]
	Granularities wire.QueryList[granularityType]
}

func describeMetricTypes(*operation.Call, *none) (*metricTypesOutput, error) {
	out := &metricTypesOutput{Granularities: wire.QueryList[granularityType]{{"1Minute"}}}
	for _, name := range groupMetrics {
		out.Metrics = append(out.Metrics, metricType{name})
	}
	return out, nil
}

type processType struct{ ProcessName string }

type processTypesOutput struct {
	Processes wire.QueryList[processType]
}

func describeProcessTypes(*operation.Call, *none) (*processTypesOutput, error) {
	out := &processTypesOutput{}
	for _, name := range processes {
		out.Processes = append(out.Processes, processType{name})
	}
	return out, nil
}

type terminationPoliciesOutput struct {
	Types wire.QueryList[string] `xml:"TerminationPolicyTypes" json:"TerminationPolicyTypes"`
}

func describeTerminationPolicies(*operation.Call, *none) (*terminationPoliciesOutput, error) {
	return &terminationPoliciesOutput{terminationPolicies}, nil
}
