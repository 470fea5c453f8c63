package eks

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// The limits of "Fargate quotas" in the EKS user guide.
const (
	maxFargateProfiles = 10 // of a cluster
	maxSelectors       = 5  // of a profile
	maxSelectorLabels  = 5  // of a selector
)

var fargateProfiles = shelf[region.FargateProfile]{
	kind: "fargateprofile", table: region.FargateProfiles,
	label: func(p *region.FargateProfile) label {
		return label{p.ClusterID, aws.ToString(p.FargateProfileName), aws.ToString(p.FargateProfileArn), &p.Tags}
	},
}

func (s *Service) createFargateProfile(call *operation.Call,
	in *eks.CreateFargateProfileInput) (*eks.CreateFargateProfileOutput, error) {
	name := aws.ToString(in.FargateProfileName)
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.CreateFargateProfileOutput, string, error) {
			a := about{cluster: c.cluster.Name, fargateProfile: name}
			there := fargateProfiles.names(c.tx, c.cluster.ID)
			switch {
			case slices.Contains(there, name):
				return nil, "", a.inUse("A Fargate Profile already exists with this name in this cluster.")
			case len(there) >= maxFargateProfiles:
				return nil, "", a.limitExceeded("The cluster %s has %d Fargate profiles, which is the most a cluster can have.",
					c.cluster.Name, len(there))
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			subnets, err := s.fargateSubnets(c, a, in.Subnets)
			if err != nil {
				return nil, "", err
			}
			if wrong := wrongFargateProfile(in); wrong != "" {
				return nil, "", a.invalidParameter("%s", wrong)
			}
			if err := s.fargateRoleFor(c, a, *in.PodExecutionRoleArn); err != nil {
				return nil, "", err
			}
			if err := oneAtATime(c, a, "create", name); err != nil {
				return nil, "", err
			}
			profile := region.FargateProfile{ClusterID: c.cluster.ID, FargateProfile: types.FargateProfile{
				FargateProfileName: in.FargateProfileName, ClusterName: aws.String(c.cluster.Name), CreatedAt: aws.Time(c.now),
				FargateProfileArn:   aws.String(s.arn(fargateProfiles.kind, c.cluster.Name, name, c.id)),
				PodExecutionRoleArn: in.PodExecutionRoleArn, Selectors: in.Selectors, Subnets: subnets, Tags: tags,
				Health: &types.FargateProfileHealth{Issues: []types.FargateProfileIssue{}},
			}}
			made, err := region.CreateFargateProfile(c.tx, profile, s.ControlPlane.Pace.Fargate.Create.after(c.now))
			if err != nil {
				return nil, "", err
			}
			s.admitNodes(c, *profile.PodExecutionRoleArn, fargateNodes)
			return &eks.CreateFargateProfileOutput{FargateProfile: &made.FargateProfile}, *profile.FargateProfileArn, nil
		})
}

// oneAtATime refuses what is to be done to a profile while one of the cluster is being created or deleted.
func oneAtATime(c change, a about, verb, name string) error {
	for _, p := range fargateProfiles.list(c.tx, c.cluster.ID) {
		if p.Passes() {
			return a.inUse("Cannot %s Fargate Profile %s because cluster %s currently has Fargate profile %s in status %s", verb,
				name, c.cluster.Name, p.Name(), p.Status)
		}
	}
	return nil
}

// fargateSubnets are a profile's subnets: pods on Fargate have no public address, so only private ones will do. Where a
// request names none, they are the private ones of the cluster's.
func (s *Service) fargateSubnets(c change, a about, ids []string) ([]string, error) {
	network := s.network()
	if len(ids) == 0 {
		own, err := s.settingsOf(c.cluster)
		if err != nil {
			return nil, err
		}
		for _, id := range own.VPC.SubnetIds {
			if private, err := network.IsPrivate(c.tx, id); err == nil && private {
				ids = append(ids, id)
			}
		}
	}
	if err := s.checkSubnets(c, a, ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if private, err := network.IsPrivate(c.tx, id); err != nil || !private {
			return nil, a.invalidParameter("Subnet %s provided in Fargate Profile is not a private subnet", id)
		}
	}
	return ids, nil
}

// wrongFargateProfile says what is wrong with a profile's name, role or selectors, or returns "".
func wrongFargateProfile(in *eks.CreateFargateProfileInput) string {
	if wrong := wrongName("fargateProfileName", aws.ToString(in.FargateProfileName), 100); wrong != "" {
		return wrong
	}
	if !roleARN.MatchString(aws.ToString(in.PodExecutionRoleArn)) {
		return fmt.Sprintf("The podExecutionRoleArn %s is not the ARN of an IAM role.",
			quote(aws.ToString(in.PodExecutionRoleArn)))
	}
	if len(in.Selectors) == 0 {
		return "Fargate Profile must have at least one selector with at least one namespace value."
	}
	if len(in.Selectors) > maxSelectors {
		return fmt.Sprintf("A Fargate profile has at most %d selectors.", maxSelectors)
	}
	for _, selector := range in.Selectors {
		namespace := aws.ToString(selector.Namespace)
		switch {
		case namespace == "":
			return "Fargate Profile must have at least one selector with at least one namespace value: each selector needs " +
				"a namespace."
		case len(selector.Labels) > maxSelectorLabels:
			return fmt.Sprintf("Request has selectors with more than the maximum number of labels, %d.", maxSelectorLabels)
		}
		for _, key := range sortedKeys(selector.Labels) {
			if key == "" || selector.Labels[key] == "" {
				return "The labels of a selector need a key and a value."
			}
		}
	}
	return ""
}

func fargateProfileNamed(tx *state.Txn, cluster region.Cluster, name string) (region.FargateProfile, error) {
	profile, found := fargateProfiles.get(tx, cluster.ID, name)
	if !found {
		return profile, about{cluster: cluster.Name, fargateProfile: name}.notFound("No Fargate Profile found "+
			"with name: %s.", name)
	}
	return profile, nil
}

func (s *Service) describeFargateProfile(call *operation.Call,
	in *eks.DescribeFargateProfileInput) (*eks.DescribeFargateProfileOutput, error) {
	t := target{aws.ToString(in.ClusterName), fargateProfiles, aws.ToString(in.FargateProfileName)}
	out := &eks.DescribeFargateProfileOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		profile, err := fargateProfileNamed(tx, cluster, t.name)
		out.FargateProfile = &profile.FargateProfile
		return err
	})
}

func (s *Service) listFargateProfiles(call *operation.Call,
	in *eks.ListFargateProfilesInput) (*eks.ListFargateProfilesOutput, error) {
	out := &eks.ListFargateProfilesOutput{}
	var err error
	out.FargateProfileNames, out.NextToken,
		err = s.namesOf(call, fargateProfiles, in.ClusterName, in.MaxResults, in.NextToken)
	return out, err
}

func (s *Service) deleteFargateProfile(call *operation.Call,
	in *eks.DeleteFargateProfileInput) (*eks.DeleteFargateProfileOutput, error) {
	t := target{aws.ToString(in.ClusterName), fargateProfiles, aws.ToString(in.FargateProfileName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.DeleteFargateProfileOutput, string, error) {
		profile, err := fargateProfileNamed(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		a := about{cluster: c.cluster.Name, fargateProfile: t.name}
		if err := oneAtATime(c, a, "delete", t.name); err != nil {
			return nil, "", err
		}
		profile, err = region.DeleteFargateProfile(c.tx, profile, s.ControlPlane.Pace.Fargate.Delete.after(c.now))
		return &eks.DeleteFargateProfileOutput{FargateProfile: &profile.FargateProfile}, "", err
	})
}
