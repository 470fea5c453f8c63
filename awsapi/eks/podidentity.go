package eks

import (
	"crypto/rand"
	"encoding/json"
	"iter"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/quota"
	"tripod/region"
	"tripod/state"
)

var podIdentities = shelf[region.PodIdentityAssociation]{
	kind: "podidentityassociation", table: region.PodIdentityAssociations,
	label: func(p *region.PodIdentityAssociation) label { return label{p.ClusterID, p.ID, p.ARN, &p.Tags} },
	arns:  &region.AssociationsByARN,
}

var (
	kubernetesName      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	serviceAccountNames = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
)

// associationID makes an id as EKS's: a- and 17 letters and digits.
func associationID() string { return "a-" + strings.ToLower(rand.Text()[:17]) }

func (s *Service) createPodIdentityAssociation(call *operation.Call,
	in *eks.CreatePodIdentityAssociationInput) (*eks.CreatePodIdentityAssociationOutput, error) {
	t := target{cluster: aws.ToString(in.ClusterName)}
	id := associationID()
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.CreatePodIdentityAssociationOutput, string, error) {
			a := about{cluster: c.cluster.Name}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			p := region.PodIdentityAssociation{
				ClusterID: c.cluster.ID, ID: id, ARN: s.arn(podIdentities.kind, c.cluster.Name, id),
				Namespace: aws.ToString(in.Namespace), ServiceAccount: aws.ToString(in.ServiceAccount),
				RoleARN:       aws.ToString(in.RoleArn),
				TargetRoleARN: aws.ToString(in.TargetRoleArn), Policy: aws.ToString(in.Policy),
				DisableSessionTags: aws.ToBool(in.DisableSessionTags),
				Tags:               tags, CreatedAt: c.now, ModifiedAt: c.now,
			}
			if err := s.addPodIdentity(c, a, p); err != nil {
				return nil, "", err
			}
			p, _ = podIdentities.get(c.tx, c.cluster.ID, id)
			return &eks.CreatePodIdentityAssociationOutput{Association: showPodIdentity(c.cluster.Name, p)}, p.ARN, nil
		})
}

// addPodIdentity checks a new association and stores it. A service account has one at most.
func (s *Service) addPodIdentity(c change, a about, p region.PodIdentityAssociation) error {
	tx, cluster := c.tx, c.cluster
	switch {
	case len(p.Namespace) > 63 || !kubernetesName.MatchString(p.Namespace):
		return a.invalidParameter("The namespace %s is not the name of a Kubernetes namespace.", quote(p.Namespace))
	case len(p.ServiceAccount) > 253 || !serviceAccountNames.MatchString(p.ServiceAccount):
		return a.invalidParameter("The serviceAccount %s is not the name of a Kubernetes service account.",
			quote(p.ServiceAccount))
	}
	s.nameExternalID(cluster, &p)
	if wrong := wrongPodIdentity(p); wrong != "" {
		return a.invalidParameter("%s", wrong)
	}
	if err := s.podRoleFor(c, a, p.RoleARN); err != nil {
		return err
	}
	if most := s.Quotas.Of(quota.PodIdentityAssociations); !podIdentities.of(cluster.ID).Fewer(tx, most) {
		return a.limitExceeded("The cluster %s has %d pod identity associations, which is the most a cluster can have.",
			cluster.Name, most)
	}
	for _, other := range region.AssociationsByServiceAccount.Of(region.ServiceAccountOf(cluster.ID, p.Namespace,
		p.ServiceAccount)).After(tx, "") {
		return a.inUse("Association already exists: %s", other.ID)
	}
	podIdentities.put(tx, p)
	return nil
}

// nameExternalID gives an association with a target role the external id of its role session, which the target role's
// trust policy names: region, account, cluster, namespace and service account.
func (s *Service) nameExternalID(cluster region.Cluster, p *region.PodIdentityAssociation) {
	p.ExternalID = ""
	if p.TargetRoleARN != "" {
		p.ExternalID = strings.Join([]string{s.Region, s.AccountID, cluster.Name, p.Namespace, p.ServiceAccount}, "/")
	}
}

// wrongPodIdentity says what is wrong with an association's roles and policy, or returns "".
func wrongPodIdentity(p region.PodIdentityAssociation) string {
	switch {
	case !roleARN.MatchString(p.RoleARN):
		return "The roleArn " + quote(p.RoleARN) + " is not the ARN of an IAM role."
	case p.TargetRoleARN != "" && !roleARN.MatchString(p.TargetRoleARN):
		return "The targetRoleArn " + quote(p.TargetRoleARN) + " is not the ARN of an IAM role."
	case p.Policy != "" && !p.DisableSessionTags:
		return "disableSessionTags must be true when a policy is given."
	case p.Policy == "":
		return ""
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(p.Policy), &document); err != nil || document["Statement"] == nil {
		return "The policy is not the JSON of an IAM policy: it needs a Statement."
	}
	return ""
}

func podIdentityWithID(tx *state.Txn, cluster region.Cluster, id string) (region.PodIdentityAssociation, error) {
	p, found := podIdentities.get(tx, cluster.ID, id)
	if !found {
		return p, about{cluster: cluster.Name}.notFound("No pod identity association found for ID: %s in the cluster %s.",
			quote(id), cluster.Name)
	}
	return p, nil
}

// showPodIdentity is an association as EKS shows it.
func showPodIdentity(cluster string, p region.PodIdentityAssociation) *types.PodIdentityAssociation {
	return &types.PodIdentityAssociation{
		AssociationArn: aws.String(p.ARN), AssociationId: aws.String(p.ID), ClusterName: aws.String(cluster),
		Namespace:      aws.String(p.Namespace),
		ServiceAccount: aws.String(p.ServiceAccount), RoleArn: aws.String(p.RoleARN),
		TargetRoleArn: memberOf(p.TargetRoleARN),
		ExternalId:    memberOf(p.ExternalID), Policy: memberOf(p.Policy), DisableSessionTags: aws.Bool(p.DisableSessionTags),
		OwnerArn: memberOf(p.OwnerARN), Tags: mergeTags(p.Tags, nil), CreatedAt: aws.Time(p.CreatedAt),
		ModifiedAt: aws.Time(p.ModifiedAt),
	}
}

func (s *Service) describePodIdentityAssociation(call *operation.Call,
	in *eks.DescribePodIdentityAssociationInput) (*eks.DescribePodIdentityAssociationOutput, error) {
	t := target{aws.ToString(in.ClusterName), podIdentities, aws.ToString(in.AssociationId)}
	out := &eks.DescribePodIdentityAssociationOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		p, err := podIdentityWithID(tx, cluster, t.name)
		out.Association = showPodIdentity(cluster.Name, p)
		return err
	})
}

func (s *Service) listPodIdentityAssociations(call *operation.Call,
	in *eks.ListPodIdentityAssociationsInput) (*eks.ListPodIdentityAssociationsOutput, error) {
	out := &eks.ListPodIdentityAssociationsOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			p := paging{call.Operation, []string{cluster.ID, aws.ToString(in.Namespace), aws.ToString(in.ServiceAccount)},
				in.MaxResults, in.NextToken}
			var err error
			out.Associations, out.NextToken,
				err = pageOf(p, func(after string) iter.Seq2[string, types.PodIdentityAssociationSummary] {
				return func(yield func(string, types.PodIdentityAssociationSummary) bool) {
					for _, p := range podIdentities.of(cluster.ID).After(tx, key(cluster.ID, after)) {
						if in.Namespace != nil && *in.Namespace != p.Namespace || in.ServiceAccount != nil &&
							*in.ServiceAccount != p.ServiceAccount {
							continue
						}
						if !yield(p.ID, types.PodIdentityAssociationSummary{
							AssociationArn: aws.String(p.ARN), AssociationId: aws.String(p.ID), ClusterName: aws.String(cluster.Name),
							Namespace: aws.String(p.Namespace), ServiceAccount: aws.String(p.ServiceAccount), OwnerArn: memberOf(p.OwnerARN),
						}) {
							return
						}
					}
				}
			})
			return err
		})
}

func (s *Service) updatePodIdentityAssociation(call *operation.Call,
	in *eks.UpdatePodIdentityAssociationInput) (*eks.UpdatePodIdentityAssociationOutput, error) {
	t := target{aws.ToString(in.ClusterName), podIdentities, aws.ToString(in.AssociationId)}
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.UpdatePodIdentityAssociationOutput, string, error) {
			p, err := podIdentityWithID(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			a := about{cluster: c.cluster.Name}
			if p.OwnerARN != "" {
				return nil, "", a.invalidRequest("The association %s belongs to the add-on %s: change it with UpdateAddon.", p.ID,
					p.OwnerARN)
			}
			for _, change := range []struct {
				to   *string
				from *string
			}{{&p.RoleARN, in.RoleArn}, {&p.TargetRoleARN, in.TargetRoleArn}, {&p.Policy, in.Policy}} {
				if change.from != nil {
					*change.to = *change.from
				}
			}
			if in.DisableSessionTags != nil {
				p.DisableSessionTags = *in.DisableSessionTags
			}
			s.nameExternalID(c.cluster, &p)
			if wrong := wrongPodIdentity(p); wrong != "" {
				return nil, "", a.invalidParameter("%s", wrong)
			}
			if in.RoleArn != nil {
				if err := s.podRoleFor(c, a, p.RoleARN); err != nil {
					return nil, "", err
				}
			}
			p.ModifiedAt = c.now
			podIdentities.put(c.tx, p)
			return &eks.UpdatePodIdentityAssociationOutput{Association: showPodIdentity(c.cluster.Name, p)}, "", nil
		})
}

func (s *Service) deletePodIdentityAssociation(call *operation.Call,
	in *eks.DeletePodIdentityAssociationInput) (*eks.DeletePodIdentityAssociationOutput, error) {
	t := target{aws.ToString(in.ClusterName), podIdentities, aws.ToString(in.AssociationId)}
	return changeOf(s, call, t, mustExist, nil, in,
		func(c change) (*eks.DeletePodIdentityAssociationOutput, string, error) {
			p, err := podIdentityWithID(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			if p.OwnerARN != "" {
				return nil, "", about{cluster: c.cluster.Name}.invalidRequest("The association %s belongs to the add-on %s: "+
					"change it with UpdateAddon.", p.ID, p.OwnerARN)
			}
			podIdentities.delete(c.tx, c.cluster.ID, p.ID)
			return &eks.DeletePodIdentityAssociationOutput{Association: showPodIdentity(c.cluster.Name, p)}, "", nil
		})
}
