package autoscaling

import (
	"slices"
	"strings"

	"tripod/region"
)

// optionsInput are the settings that creating and updating a group have in common.
type optionsInput struct {
	MinSize, MaxSize, DesiredCapacity *int
	LaunchConfigurationName           string
	LaunchTemplate                    *templateSpec
	MixedInstancesPolicy              *mixedPolicy
	DefaultCooldown                   *int
	AvailabilityZones                 []string
	AvailabilityZoneIDs               []string `query:"AvailabilityZoneIds"`
	HealthCheckType                   *string
	HealthCheckGracePeriod            *int
	PlacementGroup                    *string
	VPCZoneIdentifier                 *string
	TerminationPolicies               []string
	ProtectNew                        *bool `query:"NewInstancesProtectedFromScaleIn"`
	ServiceLinkedRoleARN              *string
	MaxInstanceLifetime               *int
	CapacityRebalance                 *bool
	Context                           *string
	DesiredCapacityType               *string
	DefaultInstanceWarmup             *int
	InstanceMaintenancePolicy         *maintenancePolicy
	ZoneDistribution                  *zoneDistribution `query:"AvailabilityZoneDistribution"`
	ZoneImpairment                    *zoneImpairment   `query:"AvailabilityZoneImpairmentPolicy"`
	SkipZonalShiftValidation          *bool
	Reservations                      *reservations    `query:"CapacityReservationSpecification"`
	Lifecycle                         *lifecyclePolicy `query:"InstanceLifecyclePolicy"`
	DeletionProtection                *string
}

// minLifetime and maxLifetime bound MaxInstanceLifetime, in seconds: a day, a year.
const minLifetime, maxLifetime = 86400, 31536000

// apply gives a group the settings that are given, once they are checked.
func (in *optionsInput) apply(g *region.AutoScalingGroup) error {
	take(&g.Cooldown, in.DefaultCooldown)
	take(&g.HealthCheckGrace, in.HealthCheckGracePeriod)
	take(&g.ProtectNew, in.ProtectNew)
	take(&g.LinkedRole, in.ServiceLinkedRoleARN)
	take(&g.CapacityRebalance, in.CapacityRebalance)
	take(&g.PlacementGroup, in.PlacementGroup)
	take(&g.Context, in.Context)
	take(&g.DesiredCapacityType, in.DesiredCapacityType)
	take(&g.DeletionProtection, in.DeletionProtection)
	if len(in.TerminationPolicies) > 0 {
		g.TerminationPolicies = in.TerminationPolicies
	}
	if d := in.ZoneDistribution; d != nil {
		g.ZoneDistribution = d.CapacityDistributionStrategy
	}
	if p := in.ZoneImpairment; p != nil {
		g.ZoneImpairment = &region.ZoneImpairmentPolicy{Behavior: p.Behavior}
		take(&g.ZoneImpairment.ZonalShift, p.ZonalShiftEnabled)
	}
	if r := in.Reservations; r != nil {
		g.Reservations = &region.ReservationPreference{Preference: r.Preference}
		if r.Target != nil {
			g.Reservations.IDs, g.Reservations.GroupARNs = r.Target.IDs, r.Target.GroupARNs
		}
	}
	if l := in.Lifecycle; l != nil && l.RetentionTriggers != nil {
		g.RetainAbandoned = l.RetentionTriggers.TerminateHookAbandon
	}
	for _, check := range []func(*region.AutoScalingGroup) error{in.health, in.times, in.maintenance, in.policies} {
		if err := check(g); err != nil {
			return err
		}
	}
	return nil
}

func (in *optionsInput) health(g *region.AutoScalingGroup) error {
	if in.HealthCheckType == nil {
		return nil
	}
	for kind := range strings.SplitSeq(*in.HealthCheckType, ",") {
		if !slices.Contains([]string{"EC2", "ELB", "EBS", "VPC_LATTICE"}, kind) {
			return invalid("Valid health check types are: [EC2, ELB, EBS, VPC_LATTICE].")
		}
	}
	g.HealthCheckType = *in.HealthCheckType
	return nil
}

func (in *optionsInput) times(g *region.AutoScalingGroup) error {
	if n := in.MaxInstanceLifetime; n != nil {
		if *n != 0 && (*n < minLifetime || *n > maxLifetime) {
			return invalid("Max instance lifetime must be between %d and %d seconds, or 0.", minLifetime, maxLifetime)
		}
		g.MaxInstanceLifetime = *n
	}
	if n := in.DefaultInstanceWarmup; n != nil {
		if g.DefaultWarmup = n; *n < 0 { // -1 takes it back
			g.DefaultWarmup = nil
		}
	}
	for _, n := range []int{g.Cooldown, g.HealthCheckGrace} {
		if n < 0 {
			return invalid("DefaultCooldown and HealthCheckGracePeriod must not be negative.")
		}
	}
	return nil
}

func (in *optionsInput) maintenance(g *region.AutoScalingGroup) error {
	p := in.InstanceMaintenancePolicy
	if p == nil {
		return nil
	}
	if p.MinHealthyPercentage == nil || p.MaxHealthyPercentage == nil {
		return invalid("You must specify both MinHealthyPercentage and MaxHealthyPercentage.")
	}
	least, most := *p.MinHealthyPercentage, *p.MaxHealthyPercentage
	switch {
	case least == -1 && most == -1:
		g.Maintenance = nil
		return nil
	case least == -1 || most == -1:
		return invalid("You must specify both MinHealthyPercentage and MaxHealthyPercentage.")
	case most < 100 || most-least > 100:
		return invalid("MaxHealthyPercentage must be between 100 and 200, and its difference to MinHealthyPercentage at most 100.")
	}
	g.Maintenance = &region.MaintenancePolicy{MinHealthy: least, MaxHealthy: most}
	return nil
}

// terminationPolicies are those that AWS has; a Lambda function's ARN is one too.
var terminationPolicies = []string{"AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance",
	"OldestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate"}

func (in *optionsInput) policies(*region.AutoScalingGroup) error {
	for _, policy := range in.TerminationPolicies {
		if !slices.Contains(terminationPolicies, policy) && !strings.HasPrefix(policy, "arn:") {
			return invalid("Termination policy %s is not valid: the valid ones are %s, and the ARN of a Lambda function.",
				policy, strings.Join(terminationPolicies, ", "))
		}
	}
	return nil
}
