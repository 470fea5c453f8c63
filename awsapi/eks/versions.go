package eks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/internal/version"
)

// describeClusterVersions lists the versions that run here, the newest first.
func (s *Service) describeClusterVersions(call *operation.Call,
	in *eks.DescribeClusterVersionsInput) (*eks.DescribeClusterVersionsOutput, error) {
	if err := call.Authorize(wire.RestJSON, "eks:DescribeClusterVersions", "*"); err != nil {
		return nil, err
	}
	if kind := aws.ToString(in.ClusterType); kind != "" && kind != "eks" {
		return nil, about{}.invalidParameter("clusterType %s: Tripod's clusters are of type eks.", kind)
	}
	found := []types.ClusterVersionInformation{}
	for _, version := range s.ControlPlane.versions() {
		info := s.versionInformation(version)
		//lint:ignore SA1019 clients older than versionStatus send it
		old := in.Status
		switch {
		case old != "" && old != info.Status:
		case len(in.ClusterVersions) > 0 && !slices.Contains(in.ClusterVersions, version):
		case aws.ToBool(in.DefaultOnly) && !info.DefaultVersion:
		case in.VersionStatus != "" && in.VersionStatus != info.VersionStatus:
		default:
			found = append(found, info)
		}
	}
	// The newest first, in the order of keys: versions of one digit count have all the same.
	place := func(info types.ClusterVersionInformation) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return '9' - r + '0'
			}
			return r
		}, aws.ToString(info.ClusterVersion))
	}
	//lint:ignore SA1019 as above
	filters := append([]string{string(in.VersionStatus), string(in.Status), aws.ToString(in.ClusterType),
		fmt.Sprint(aws.ToBool(in.DefaultOnly), aws.ToBool(in.IncludeAll))},
		in.ClusterVersions...)
	found, next, err := page(paging{operation: "DescribeClusterVersions", filters: filters, max: in.MaxResults,
		token: in.NextToken}, found, place)
	if err != nil {
		return nil, err
	}
	return &eks.DescribeClusterVersionsOutput{ClusterVersions: found, NextToken: next}, nil
}

func (s *Service) versionInformation(minor string) types.ClusterVersionInformation {
	patch, _, _ := strings.Cut(strings.TrimPrefix(s.ControlPlane.Versions[minor], "v"), "-")
	info := types.ClusterVersionInformation{
		ClusterType: aws.String("eks"), ClusterVersion: aws.String(minor),
		DefaultPlatformVersion: aws.String(platformVersion),
		DefaultVersion:         minor == s.ControlPlane.DefaultVersion, KubernetesPatchVersion: aws.String(patch),
		Status: types.ClusterVersionStatusStandardSupport, VersionStatus: types.VersionStatusStandardSupport,
		ControlPlaneComponentConfig: describeParameters(), ControlPlaneScalingTiers: describeTiers(),
	}
	dates, _ := version.FindKubernetes(minor)
	if dates.Released == "" {
		return info
	}
	day := func(text string) *time.Time {
		at, _ := time.Parse(time.DateOnly, text) // the list's own
		return &at
	}
	info.ReleaseDate, info.EndOfStandardSupportDate, info.EndOfExtendedSupportDate = day(dates.Released),
		day(dates.Standard), day(dates.Extended)
	if s.now().After(*info.EndOfStandardSupportDate) {
		info.Status, info.VersionStatus = types.ClusterVersionStatusExtendedSupport, types.VersionStatusExtendedSupport
	}
	return info
}
