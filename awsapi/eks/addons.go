package eks

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

var addons = shelf[region.Addon]{
	kind: "addon", table: region.Addons,
	label: func(a *region.Addon) label {
		return label{a.ClusterID, aws.ToString(a.AddonName), aws.ToString(a.AddonArn), &a.Tags}
	},
}

func (s *Service) createAddon(call *operation.Call, in *eks.CreateAddonInput) (*eks.CreateAddonOutput, error) {
	name := aws.ToString(in.AddonName)
	t := target{cluster: aws.ToString(in.ClusterName)}
	ids := associationIDs(in.PodIdentityAssociations)
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.CreateAddonOutput, string, error) {
			a := about{cluster: c.cluster.Name, addon: name}
			o, found := offerNamed(name)
			if !found {
				return nil, "", a.invalidParameter("Addon %s is not supported: see 'aws eks describe-addon-versions'.", quote(name))
			}
			if addons.has(c.tx, c.cluster.ID, name) {
				return nil, "", a.inUse("Addon already exists: %s.", name)
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			made := region.Addon{ClusterID: c.cluster.ID, Addon: types.Addon{
				AddonName: in.AddonName, ClusterName: aws.String(c.cluster.Name), AddonVersion: in.AddonVersion,
				ConfigurationValues:   in.ConfigurationValues,
				AddonArn:              aws.String(s.arn(addons.kind, c.cluster.Name, name, c.id)),
				ServiceAccountRoleArn: in.ServiceAccountRoleArn,
				CreatedAt:             aws.Time(c.now), ModifiedAt: aws.Time(c.now), Tags: tags,
				Health:          &types.AddonHealth{Issues: []types.AddonIssue{}},
				NamespaceConfig: &types.AddonNamespaceConfigResponse{Namespace: aws.String(o.Namespace)},
			}}
			if made.AddonVersion == nil {
				made.AddonVersion = memberOf(o.defaultFor(minorOf(c.cluster.Version)))
			}
			if in.NamespaceConfig != nil && in.NamespaceConfig.Namespace != nil {
				made.NamespaceConfig.Namespace = in.NamespaceConfig.Namespace
			}
			if err := s.checkAddon(c, a, o, made.Addon, c.cluster.Version); err != nil {
				return nil, "", err
			}
			if err := s.addonIdentities(c, &made, in.PodIdentityAssociations, ids); err != nil {
				return nil, "", err
			}
			made, err = region.AddonStates.Create(c.tx, made)
			return &eks.CreateAddonOutput{Addon: &made.Addon}, *made.AddonArn, err
		})
}

// checkAddon refuses an add-on whose version does not run in a cluster of that version (empty: any), or whose role,
// namespace or configuration is wrong.
func (s *Service) checkAddon(c change, a about, o offer, made types.Addon, clusterVersion string) error {
	version, known := o.version(aws.ToString(made.AddonVersion))
	namespace := aws.ToString(made.NamespaceConfig.Namespace)
	switch {
	case clusterVersion != "" && (!known || !version.Fits(minorOf(clusterVersion))):
		return a.invalidParameter("Addon version specified is not supported: %s %s does not run on Kubernetes %s, "+
			"which has %s.",
			o.Name, quote(aws.ToString(made.AddonVersion)), clusterVersion, clip(o.versionsFor(minorOf(clusterVersion))))
	case made.ServiceAccountRoleArn != nil && !roleARN.MatchString(*made.ServiceAccountRoleArn):
		return a.invalidParameter("The serviceAccountRoleArn %s is not the ARN of an IAM role.",
			quote(*made.ServiceAccountRoleArn))
	case len(namespace) > 63 || !kubernetesName.MatchString(namespace):
		return a.invalidParameter("The namespace %s is not the name of a Kubernetes namespace.", quote(namespace))
	case namespace != o.Namespace && o.Owner == "aws" && o.Namespace == "kube-system":
		return a.invalidParameter("The add-on %s runs in %s: its namespace cannot be chosen.", o.Name, o.Namespace)
	}
	if wrong := wrongConfiguration(o, aws.ToString(made.ConfigurationValues)); wrong != "" {
		return a.invalidParameter("%s", wrong)
	}
	if made.ServiceAccountRoleArn != nil {
		return s.existingRole(c, a, *made.ServiceAccountRoleArn)
	}
	return nil
}

func associationIDs(wanted []types.AddonPodIdentityAssociations) []string {
	ids := make([]string, len(wanted))
	for i := range ids {
		ids[i] = associationID()
	}
	return ids
}

// addonIdentities gives an add-on the wanted pod identity associations, which it owns, in place of those it had. Where
// a service account keeps its association, the association keeps its id. ids are for new ones.
func (s *Service) addonIdentities(c change, made *region.Addon, wanted []types.AddonPodIdentityAssociations,
	ids []string) error {
	a := about{cluster: c.cluster.Name, addon: *made.AddonName}
	owned := map[string]region.PodIdentityAssociation{}
	for _, p := range podIdentities.list(c.tx, c.cluster.ID) {
		if p.OwnerARN == *made.AddonArn {
			owned[p.ServiceAccount] = p
		}
	}
	made.PodIdentityAssociations = nil
	o, _ := offerNamed(*made.AddonName)
	seen := map[string]bool{}
	for i, want := range wanted {
		account := aws.ToString(want.ServiceAccount)
		switch {
		case seen[account]:
			return a.invalidParameter("podIdentityAssociations name the service account %s twice.", quote(account))
		case len(o.PodIdentity) == 0:
			return a.invalidParameter("The add-on %s does not support podIdentityAssociations: none of its service accounts "+
				"needs a role.", o.Name)
		}
		seen[account] = true
		p, kept := owned[account]
		delete(owned, account)
		if !kept {
			p = region.PodIdentityAssociation{
				ClusterID: c.cluster.ID, ID: ids[i], ARN: s.arn(podIdentities.kind, c.cluster.Name, ids[i]),
				OwnerARN:  *made.AddonArn,
				Namespace: *made.NamespaceConfig.Namespace, ServiceAccount: account, CreatedAt: c.now,
			}
		} else {
			podIdentities.delete(c.tx, c.cluster.ID, p.ID) // and stored again as it is now
		}
		p.RoleARN, p.ModifiedAt = aws.ToString(want.RoleArn), c.now
		if err := s.addPodIdentity(c, a, p); err != nil {
			return err
		}
		made.PodIdentityAssociations = append(made.PodIdentityAssociations, p.ARN)
	}
	for _, p := range owned {
		podIdentities.delete(c.tx, c.cluster.ID, p.ID)
	}
	return nil
}

func addonNamed(tx *state.Txn, cluster region.Cluster, name string) (region.Addon, error) {
	found, ok := addons.get(tx, cluster.ID, name)
	if !ok {
		return found, about{cluster: cluster.Name, addon: name}.notFound("No addon: %s found in cluster: %s", name,
			cluster.Name)
	}
	return found, nil
}

func (s *Service) describeAddon(call *operation.Call, in *eks.DescribeAddonInput) (*eks.DescribeAddonOutput, error) {
	t := target{aws.ToString(in.ClusterName), addons, aws.ToString(in.AddonName)}
	out := &eks.DescribeAddonOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		found, err := addonNamed(tx, cluster, t.name)
		out.Addon = &found.Addon
		return err
	})
}

func (s *Service) listAddons(call *operation.Call, in *eks.ListAddonsInput) (*eks.ListAddonsOutput, error) {
	out := &eks.ListAddonsOutput{}
	var err error
	out.Addons, out.NextToken, err = s.namesOf(call, addons, in.ClusterName, in.MaxResults, in.NextToken)
	return out, err
}

func (s *Service) updateAddon(call *operation.Call, in *eks.UpdateAddonInput) (*eks.UpdateAddonOutput, error) {
	t := target{aws.ToString(in.ClusterName), addons, aws.ToString(in.AddonName)}
	ids := associationIDs(in.PodIdentityAssociations)
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.UpdateAddonOutput, string, error) {
			changed, err := addonNamed(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			params := []region.UpdateParam{}
			for _, part := range []struct {
				to   **string
				from *string
				kind types.UpdateParamType
			}{
				{&changed.AddonVersion, in.AddonVersion, types.UpdateParamTypeAddonVersion},
				{&changed.ServiceAccountRoleArn, in.ServiceAccountRoleArn, types.UpdateParamTypeServiceAccountRoleArn},
				{&changed.ConfigurationValues, in.ConfigurationValues, types.UpdateParamTypeConfigurationValues},
			} {
				if part.from != nil {
					*part.to = part.from
					params = append(params, param(part.kind, *part.from))
				}
			}
			if in.ResolveConflicts != "" {
				params = append(params, param(types.UpdateParamTypeResolveConflicts, string(in.ResolveConflicts)))
			}
			o, _ := offerNamed(t.name)
			a := about{cluster: c.cluster.Name, addon: t.name}
			version := c.cluster.Version
			if in.AddonVersion == nil { // a cluster that was upgraded may have an older one
				version = ""
			}
			if err := s.checkAddon(c, a, o, changed.Addon, version); err != nil {
				return nil, "", err
			}
			if in.PodIdentityAssociations != nil {
				if err := s.addonIdentities(c, &changed, in.PodIdentityAssociations, ids); err != nil {
					return nil, "", err
				}
				params = append(params, param(types.UpdateParamTypePodIdentityAssociations, asJSON(in.PodIdentityAssociations)))
			}
			changed.ModifiedAt = aws.Time(c.now)
			update, err := region.AddonStates.Change(c.tx, changed, c.newUpdate(types.UpdateTypeAddonUpdate, params))
			return &eks.UpdateAddonOutput{Update: describeUpdateRecord(update)}, "", err
		})
}

// deleteAddon removes the record. Nothing in the cluster is touched, with preserve or without: nothing was put there
// for it.
func (s *Service) deleteAddon(call *operation.Call, in *eks.DeleteAddonInput) (*eks.DeleteAddonOutput, error) {
	t := target{aws.ToString(in.ClusterName), addons, aws.ToString(in.AddonName)}
	return changeOf(s, call, t, mustExist, nil, in, func(c change) (*eks.DeleteAddonOutput, string, error) {
		gone, err := addonNamed(c.tx, c.cluster, t.name)
		if err != nil {
			return nil, "", err
		}
		shown, err := region.AddonStates.Delete(c.tx, gone)
		if err != nil {
			return nil, "", err
		}
		err = s.addonIdentities(c, &gone, nil, nil)
		return &eks.DeleteAddonOutput{Addon: &shown.Addon}, "", err
	})
}
