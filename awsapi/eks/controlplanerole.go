package eks

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/ec2"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// Place is where a cluster is in its account, as its own cloud controller has to know.
type Place struct{ VPC, RoleARN string }

// PlaceOf is that of a cluster in an account whose default VPC is given.
func PlaceOf(vpc ec2.VPC, record region.Cluster) (Place, error) {
	own, err := (&Service{AccountID: vpc.AccountID, VPC: vpc}).settingsOf(record)
	if err != nil {
		return Place{}, err
	}
	place := Place{VPC: vpc.ID(), RoleARN: own.RoleARN}
	if own.VPC != nil {
		place.VPC = aws.ToString(own.VPC.VpcId)
	}
	return place, nil
}

const (
	// controlPlaneSession is how long a session of a cluster's role lasts that its control plane takes: the SDKs' default.
	controlPlaneSession = 15 * time.Minute
	// clusterPolicy is what a cluster's role needs for its control plane ("Amazon EKS cluster IAM role").
	clusterPolicy = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
)

// ControlPlaneSession is the session of a cluster's role that its control plane acts in, where the role is there and still
// trusts EKS. In a lenient region another cluster has the account's root, with no more than the policy that such a role
// should have.
func ControlPlaneSession(tx *state.Txn, accountID, roleARN string, lenient bool, now time.Time) (iam.Session, error) {
	session := iam.Session{Service: eksService, IssuedAt: now, Expires: now.Add(controlPlaneSession)}
	role, found := roleOf(tx, roleARN)
	switch {
	case found && trusts(role.TrustPolicy, eksService, assuming):
		session.Role, session.ID = role.Name, role.ID
		session.Name = fmt.Sprintf("aws-go-sdk-%d", now.UnixNano())
	case lenient:
		session.ID, session.PolicyARNs = accountID, []string{clusterPolicy}
	default:
		return iam.Session{}, fmt.Errorf("EKS cannot assume the cluster's role %s, by which its control plane knows its nodes: "+
			"make it, with a trust policy that allows %s sts:AssumeRole", roleARN, eksService)
	}
	return session, nil
}
