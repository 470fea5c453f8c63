package arczonalshift

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift"
	"github.com/aws/aws-sdk-go-v2/service/arczonalshift/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

func (s *Service) getManagedResource(call *operation.Call,
	in *arczonalshift.GetManagedResourceInput) (*arczonalshift.GetManagedResourceOutput, error) {
	out := &arczonalshift.GetManagedResourceOutput{}
	return out, s.State.View(func(tx *state.Txn) error {
		resource, err := s.resource(tx, call, in.ResourceIdentifier)
		if err != nil {
			return err
		}
		described, config := s.describe(tx, resource)
		*out = arczonalshift.GetManagedResourceOutput{Arn: described.Arn, Name: described.Name,
			AppliedWeights: described.AppliedWeights, ZonalShifts: described.ZonalShifts,
			Autoshifts: described.Autoshifts, ZonalAutoshiftStatus: described.ZonalAutoshiftStatus,
			PracticeRunConfiguration: config.Practice}
		return nil
	})
}

func (s *Service) listManagedResources(call *operation.Call,
	in *arczonalshift.ListManagedResourcesInput) (*arczonalshift.ListManagedResourcesOutput, error) {
	if err := call.Authorize(wire.RestJSON, Name+":ListManagedResources", "*"); err != nil {
		return nil, err
	}
	var all []types.ManagedResourceSummary
	err := s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, resource := range s.Resources(tx) {
			described, _ := s.describe(tx, resource)
			all = append(all, described)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	items, next, err := page("ListManagedResources", in.MaxResults, in.NextToken, all,
		func(r types.ManagedResourceSummary) string { return *r.Arn })
	return &arczonalshift.ListManagedResourcesOutput{Items: items, NextToken: next}, err
}

// describe is a resource with its active shifts. A weight of 0 says that traffic is moved away from the zone.
func (s *Service) describe(tx *state.Txn, resource Resource) (types.ManagedResourceSummary, autoshift) {
	config := configOf(tx, resource.ClusterID)
	out := types.ManagedResourceSummary{Arn: aws.String(resource.ARN), Name: aws.String(resource.Name),
		AvailabilityZones: s.VPC.ZoneIDs(), AppliedWeights: map[string]float32{},
		ZonalShifts: []types.ZonalShiftInResource{}, Autoshifts: []types.AutoshiftInResource{},
		ZonalAutoshiftStatus: config.Status, PracticeRunStatus: types.ZonalAutoshiftStatusDisabled}
	if config.Practice != nil {
		out.PracticeRunStatus = types.ZonalAutoshiftStatusEnabled
	}
	for _, id := range s.VPC.ZoneIDs() {
		out.AppliedWeights[id] = 1
	}
	for _, shift := range region.ShiftsOf(tx, resource.ClusterID) {
		if !shift.Active(s.now()) {
			continue
		}
		kind, outcome := s.kindOf(shift)
		out.AppliedWeights[s.zoneID(shift.Zone)] = 0
		out.ZonalShifts = append(out.ZonalShifts,
			types.ZonalShiftInResource{AppliedStatus: types.AppliedStatusApplied, ZonalShiftId: aws.String(shift.ID),
				ResourceIdentifier: aws.String(resource.ARN), AwayFrom: aws.String(s.zoneID(shift.Zone)),
				Comment:   aws.String(shift.Comment),
				StartTime: aws.Time(shift.StartedAt), ExpiryTime: aws.Time(shift.ExpiresAt), ShiftType: kind,
				PracticeRunOutcome: outcome})
	}
	return out, config
}
