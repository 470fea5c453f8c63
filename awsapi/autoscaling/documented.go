package autoscaling

import "tripod/awsapi/operation"

// documented are the lines of docs/operations.md: the operations that Tripod has.
func documented(names []string) []operation.Documented {
	return operation.DocumentBy(names, []operation.Clause{
		{Words: []string{"NotificationConfiguration"}, State: operation.Recorded, Effect: "kept and shown; nobody is told"},
		{Words: []string{"WarmPool"}, State: operation.Recorded, Effect: "kept and shown; no instance is kept warm"},
		{Words: []string{"MetricsCollection"}, State: operation.Recorded, Effect: "kept and shown; no metrics are collected"},
		{Words: []string{"LoadBalancer", "TrafficSources"}, State: operation.Works,
			Effect: "instances are registered with target groups and classic load balancers while they are in service, and drain " +
				"before they are terminated; VPC Lattice is recorded"},
		{Words: []string{"Types", "AccountLimits"}, State: operation.Works, Effect: "what AWS has, and the limits that hold here"},
		{Words: []string{"InstanceRefresh"}, State: operation.Works,
			Effect: "replaces instances step by step, with healthy percentages, checkpoints, skip matching, bake time and " +
				"rollback; alarms are recorded, the strategy ReplaceRootVolume is refused"},
		{Words: []string{"ExecutePolicy"}, State: operation.Works, Effect: "simple and step scaling change the desired capacity"},
		{Words: []string{"Polic"}, State: operation.Works,
			Effect: "simple and step scaling act by ExecutePolicy, as no alarms are raised here; target tracking and predictive " +
				"scaling are recorded, as nobody measures instances"},
		{Words: []string{"Scheduled"}, State: operation.Works, Effect: "sizes change by the clock, once or by a cron expression"},
		{Words: []string{"LifecycleHook", "LifecycleAction"}, State: operation.Works,
			Effect: "instances wait until the action is completed or its time is over; notification targets are not told"},
		{Words: []string{"LaunchConfiguration"}, State: operation.Works,
			Effect: "image, type, key, groups, user data, profile, public address and Spot count at launches; the rest is recorded"},
		{Words: []string{"CreateAutoScalingGroup", "UpdateAutoScalingGroup"}, State: operation.Works,
			Effect: "instances are launched and terminated as sizes, zones, templates and health checks of EC2 and ELB say; placement " +
				"groups, capacity reservations, context and retention are recorded; of the requirements of instance types all count " +
				"but baseline performance factors"},
		{Words: []string{"Processes"}, State: operation.Works, Effect: "suspended processes do not run"},
		{Words: []string{"Tag"}, State: operation.Works, Effect: "tags that propagate go on to new instances"},
		{Words: []string{""}, State: operation.Works, Effect: "acts on the group's instances"},
	})
}
