package eks

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/quota"
	"tripod/region"
	"tripod/state"
)

var accessEntries = shelf[region.AccessEntry]{
	kind: "access-entry", table: region.AccessEntries,
	label: func(e *region.AccessEntry) label { return label{e.ClusterID, e.PrincipalARN, e.ARN, &e.Tags} },
	arns:  &region.AccessEntriesByARN,
}

// CreatorEntry is the access entry by which a cluster's creator is its administrator. It stands in AccessEntries under
// CLUSTERID/PRINCIPALARN from the start, also while the mode CONFIG_MAP hides it. principalID is the creator's unique
// id, id a fresh UUID. A role's session made the cluster for its role, whose path the session's ARN does not tell: the
// entry is without it.
func CreatorEntry(regionName, accountID string, cluster region.Cluster, principalID, id string,
	now time.Time) (region.AccessEntry, error) {
	creator := cluster.CreatorARN
	if account, session, isSession := strings.Cut(strings.TrimPrefix(creator, "arn:aws:sts::"),
		":assumed-role/"); isSession {
		name, _, _ := strings.Cut(session, "/")
		creator = "arn:aws:iam::" + account + ":role/" + name
		principalID, _, _ = strings.Cut(principalID, ":")
	}
	p, err := parsePrincipal(about{cluster: cluster.Name}, creator)
	if err != nil {
		return region.AccessEntry{}, err
	}
	s := Service{Region: regionName, AccountID: accountID}
	return region.AccessEntry{
		ClusterID: cluster.ID, ARN: s.accessEntryARN(cluster.Name, p, id), PrincipalARN: p.arn, PrincipalID: principalID,
		Type: standardEntry, Username: p.defaultUsername(), CreatedAt: now, ModifiedAt: now,
		Policies: []region.AssociatedPolicy{{
			ARN: policyPrefix + "AmazonEKSClusterAdminPolicy", Scope: string(types.AccessScopeTypeCluster), AssociatedAt: now,
			ModifiedAt: now,
		}},
	}, nil
}

func (s *Service) accessEntryARN(cluster string, p principal, id string) string {
	return s.arn(accessEntries.kind, cluster, p.kind, p.account, p.name, id)
}

// hasEntries refuses a cluster whose authentication mode knows no access entries.
func hasEntries(cluster region.Cluster) error {
	if cluster.AuthenticationMode == string(types.AuthenticationModeConfigMap) {
		return about{cluster: cluster.Name}.invalidRequest(
			"The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return mustExist(cluster)
}

func (s *Service) createAccessEntry(call *operation.Call,
	in *eks.CreateAccessEntryInput) (*eks.CreateAccessEntryOutput, error) {
	t := target{cluster: aws.ToString(in.ClusterName)}
	return changeOf(s, call, t, hasEntries, in.ClientRequestToken, in,
		func(c change) (*eks.CreateAccessEntryOutput, string, error) {
			a := about{cluster: c.cluster.Name}
			p, err := parsePrincipal(a, aws.ToString(in.PrincipalArn))
			if err != nil {
				return nil, "", err
			}
			most := s.Quotas.Of(quota.AccessEntries)
			switch {
			case accessEntries.has(c.tx, c.cluster.ID, p.arn):
				return nil, "", a.inUse("The specified access entry resource is already in use on this cluster.")
			case !accessEntries.of(c.cluster.ID).Fewer(c.tx, most):
				return nil, "", a.limitExceeded("The cluster %s has %d access entries, which is the most a cluster can have.",
					c.cluster.Name, most)
			}
			id, err := s.principalID(c.tx, a, p)
			if err != nil {
				return nil, "", err
			}
			tags, err := a.newTags(in.Tags)
			if err != nil {
				return nil, "", err
			}
			entry := region.AccessEntry{
				ClusterID: c.cluster.ID, ARN: s.accessEntryARN(c.cluster.Name, p, c.id), PrincipalARN: p.arn, PrincipalID: id,
				Type: aws.ToString(in.Type), Username: aws.ToString(in.Username), Groups: in.KubernetesGroups, Tags: tags,
				CreatedAt: c.now, ModifiedAt: c.now,
			}
			if err := completeEntry(a, &entry, p); err != nil {
				return nil, "", err
			}
			accessEntries.put(c.tx, entry)
			return &eks.CreateAccessEntryOutput{AccessEntry: showEntry(c.cluster.Name, entry)}, entry.ARN, nil
		})
}

func entryOf(tx *state.Txn, cluster region.Cluster, principalARN string) (region.AccessEntry, error) {
	entry, found := accessEntries.get(tx, cluster.ID, principalARN)
	if !found {
		return entry, about{cluster: cluster.Name}.notFound(
			"The specified principalArn could not be found. You can view your available access entries with " +
				"'list-access-entries'.")
	}
	return entry, nil
}

// showEntry is an access entry as EKS shows it.
func showEntry(cluster string, e region.AccessEntry) *types.AccessEntry {
	return &types.AccessEntry{
		AccessEntryArn: aws.String(e.ARN), ClusterName: aws.String(cluster), PrincipalArn: aws.String(e.PrincipalARN),
		Type:     aws.String(e.Type),
		Username: aws.String(e.Username), KubernetesGroups: append([]string{}, e.Groups...), Tags: mergeTags(e.Tags, nil),
		CreatedAt: aws.Time(e.CreatedAt), ModifiedAt: aws.Time(e.ModifiedAt),
	}
}

func (s *Service) describeAccessEntry(call *operation.Call,
	in *eks.DescribeAccessEntryInput) (*eks.DescribeAccessEntryOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	out := &eks.DescribeAccessEntryOutput{}
	return out, readOf(s, call, t, func(tx *state.Txn, cluster region.Cluster) error {
		if err := hasEntries(cluster); err != nil {
			return err
		}
		entry, err := entryOf(tx, cluster, t.name)
		out.AccessEntry = showEntry(cluster.Name, entry)
		return err
	})
}

func (s *Service) listAccessEntries(call *operation.Call,
	in *eks.ListAccessEntriesInput) (*eks.ListAccessEntriesOutput, error) {
	out := &eks.ListAccessEntriesOutput{}
	return out, readOf(s, call, target{cluster: aws.ToString(in.ClusterName)},
		func(tx *state.Txn, cluster region.Cluster) error {
			if err := hasEntries(cluster); err != nil {
				return err
			}
			has := func(entry region.AccessEntry) bool {
				return slices.ContainsFunc(entry.Policies,
					func(p region.AssociatedPolicy) bool { return p.ARN == *in.AssociatedPolicyArn })
			}
			p := paging{call.Operation, []string{cluster.ID, aws.ToString(in.AssociatedPolicyArn)}, in.MaxResults, in.NextToken}
			var err error
			out.AccessEntries, out.NextToken, err = pageOf(p, func(after string) iter.Seq2[string, string] {
				return func(yield func(string, string) bool) {
					for arn := range accessEntries.namesAfter(tx, cluster.ID, after) {
						if in.AssociatedPolicyArn != nil {
							if entry, _ := accessEntries.get(tx, cluster.ID, arn); !has(entry) {
								continue
							}
						}
						if !yield(arn, arn) {
							return
						}
					}
				}
			})
			return err
		})
}

// onlyStandard is what EKS says of changes to access entries of nodes.
const onlyStandard = `This operation can only be performed on Access Entries with a type of "STANDARD".`

func (s *Service) updateAccessEntry(call *operation.Call,
	in *eks.UpdateAccessEntryInput) (*eks.UpdateAccessEntryOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	return changeOf(s, call, t, hasEntries, in.ClientRequestToken, in,
		func(c change) (*eks.UpdateAccessEntryOutput, string, error) {
			entry, err := entryOf(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			a := about{cluster: c.cluster.Name}
			p, err := parsePrincipal(a, entry.PrincipalARN)
			if err != nil {
				return nil, "", err
			}
			if entry.Type != standardEntry {
				if in.Username != nil { // also that which EKS gave it, as terraform sends it
					if wrong := wrongUsername(*in.Username, p); wrong != "" {
						return nil, "", a.invalidParameter("%s", wrong)
					}
				}
				return nil, "", a.invalidParameter(onlyStandard)
			}
			if in.KubernetesGroups != nil {
				entry.Groups = in.KubernetesGroups
			}
			if in.Username != nil {
				entry.Username = *in.Username
			}
			if err := completeEntry(a, &entry, p); err != nil {
				return nil, "", err
			}
			entry.ModifiedAt = c.now
			accessEntries.put(c.tx, entry)
			return &eks.UpdateAccessEntryOutput{AccessEntry: showEntry(c.cluster.Name, entry)}, "", nil
		})
}

func (s *Service) deleteAccessEntry(call *operation.Call,
	in *eks.DeleteAccessEntryInput) (*eks.DeleteAccessEntryOutput, error) {
	t := target{aws.ToString(in.ClusterName), accessEntries, aws.ToString(in.PrincipalArn)}
	return changeOf(s, call, t, hasEntries, nil, in, func(c change) (*eks.DeleteAccessEntryOutput, string, error) {
		if _, err := entryOf(c.tx, c.cluster, t.name); err != nil {
			return nil, "", err
		}
		accessEntries.delete(c.tx, c.cluster.ID, t.name)
		if c.cluster.CreatorARN == t.name { // who made the cluster is its administrator no longer
			c.cluster.CreatorARN = ""
			region.Clusters.Put(c.tx, c.cluster.ID, c.cluster)
		}
		return &eks.DeleteAccessEntryOutput{}, "", nil
	})
}
