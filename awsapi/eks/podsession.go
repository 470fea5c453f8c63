package eks

import (
	"fmt"
	"time"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// podIdentityService is whom a role trusts that EKS Pod Identity gives to pods.
const podIdentityService = "pods.eks.amazonaws.com"

// PodRole is the ARN of the role that EKS Pod Identity gives to the pods of a service account; empty: none.
func PodRole(tx *state.Txn, clusterID, namespace, account string) string {
	all := region.AssociationsByServiceAccount.Of(region.ServiceAccountOf(clusterID, namespace, account)).List(tx)
	if len(all) == 0 {
		return ""
	}
	return all[0].RoleARN
}

// PodSession is the session that EKS Pod Identity gives to the pods of a service account; associated says whether it has a role
// for them.
func PodSession(tx *state.Txn, clusterID, namespace, account string, now time.Time) (session iam.Session, associated bool,
	err error) {
	arn := PodRole(tx, clusterID, namespace, account)
	if arn == "" {
		return session, false, nil
	}
	role, found := roleOf(tx, arn)
	if !found || !trusts(role.TrustPolicy, podIdentityService, []string{"sts:AssumeRole", "sts:TagSession"}) {
		return session, true, fmt.Errorf("failed to retrieve credentials: AccessDeniedException: %s is not authorized to assume the "+
			"role %s", podIdentityService, arn)
	}
	return iam.Session{Role: role.Name, ID: role.ID, Name: "eks-" + clusterID[:8] + "-" + account, IssuedAt: now,
		Expires: now.Add(time.Hour)}, true, nil
}
