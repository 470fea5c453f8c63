package eks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

const (
	standardEntry = "STANDARD"
	linuxNodes    = "EC2_LINUX"
	windowsNodes  = "EC2_WINDOWS"
	fargateNodes  = "FARGATE_LINUX"
	maxGroups     = 100
)

var (
	accountID   = regexp.MustCompile(`^[0-9]{12}$`)
	iamPath     = regexp.MustCompile(`^[\x21-\x7e]+$`)
	sessionName = regexp.MustCompile(`\{\{SessionName(Raw)?\}\}`)
	template    = regexp.MustCompile(`\{\{[^{}]*\}\}`)
)

// awsNames are beginnings of names that are AWS's and Kubernetes's own.
var awsNames = []string{"system:", "eks:", "aws:", "amazon:", "iam:"}

// nodeEntries are the types of access entries for nodes: what EKS makes of them by itself.
var nodeEntries = map[string]struct {
	username string
	groups   []string
}{
	linuxNodes:   {"system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}},
	windowsNodes: {"system:node:{{EC2PrivateDNSName}}", []string{"eks:kube-proxy-windows", "system:nodes"}},
	fargateNodes: {"system:node:{{SessionName}}",
		[]string{"system:bootstrappers", "system:node-proxier", "system:nodes"}},
	"EC2":            {"system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}},
	"HYBRID_LINUX":   {"system:node:{{SessionName}}", []string{"system:nodes"}},
	"HYPERPOD_LINUX": {"system:node:{{SessionName}}", []string{"system:nodes"}},
}

// principal is an IAM user or role, or an account's root user, by its ARN.
type principal struct {
	arn, account string
	kind         string // user or role; root is a user
	name         string // without the path
}

// parsePrincipal refuses what is no IAM user's or role's ARN. An account's ARN, as policies name all of it, is its root
// user's here: EKS takes it, and lets in nobody else for it.
func parsePrincipal(a about, arn string) (principal, error) {
	wrong := a.invalidParameter("The specified principalArn is invalid: %s is not the ARN of an IAM user or role.",
		quote(arn))
	fields := strings.SplitN(arn, ":", 6)
	if len(fields) != 6 || fields[0] != "arn" || !strings.HasPrefix(fields[1], "aws") || fields[2] != "iam" ||
		fields[3] != "" || !accountID.MatchString(fields[4]) {
		return principal{}, wrong
	}
	if fields[5] == "root" {
		return principal{arn: arn, account: fields[4], kind: "user", name: "root"}, nil
	}
	kind, path, found := strings.Cut(fields[5], "/")
	name := path[strings.LastIndexByte(path, '/')+1:]
	if !found || kind != "user" && kind != "role" || name == "" || !iamPath.MatchString(path) {
		return principal{}, wrong
	}
	if kind == "role" && strings.HasPrefix(path, "aws-service-role/") {
		return principal{}, a.invalidParameter("The specified principalArn is invalid: %s is a service-linked role, "+
			"which cannot have an access entry.", quote(arn))
	}
	return principal{arn: arn, account: fields[4], kind: kind, name: name}, nil
}

// defaultUsername is what EKS calls a principal in Kubernetes; a role's path is not in it.
func (p principal) defaultUsername() string {
	if p.kind == "user" {
		return p.arn
	}
	return "arn:aws:sts::" + p.account + ":assumed-role/" + p.name + "/{{SessionName}}"
}

// principalID is the unique id of a principal of this account, which must exist. Of other accounts nothing is known,
// and none of their principals can come here.
func (s *Service) principalID(tx *state.Txn, a about, p principal) (string, error) {
	switch {
	case p.account != s.AccountID:
		return "", nil
	case p.arn == iam.RootARN(p.account):
		return p.account, nil
	}
	if p.kind == "role" {
		if role, found := region.Roles.Get(tx, p.name); found && role.ARN == p.arn {
			return role.ID, nil
		}
	} else if user, found := region.Users.Get(tx, p.name); found && user.ARN == p.arn {
		return user.ID, nil
	}
	return "", a.invalidParameter("The specified principalArn is invalid: invalid principal. There is no %s %s.", p.kind,
		quote(p.arn))
}

// completeEntry refuses an entry that EKS would not take, and gives it the username and groups that follow from its
// type.
func completeEntry(a about, e *region.AccessEntry, p principal) error {
	if e.Type == "" {
		e.Type = standardEntry
	}
	if node, isNode := nodeEntries[e.Type]; isNode {
		switch {
		case e.Username != "" || len(e.Groups) > 0:
			return a.invalidParameter("Access entries of the type %s have their own username and groups: leave username and "+
				"kubernetesGroups out.", e.Type)
		case p.kind != "role":
			return a.invalidParameter("Access entries of the type %s are for roles, not for users.", e.Type)
		}
		e.Username, e.Groups = node.username, node.groups
		return nil
	}
	if e.Type != standardEntry {
		return a.invalidParameter("The type %s is not valid: it is one of %s, %s.", quote(e.Type), standardEntry,
			strings.Join(sortedKeys(nodeEntries), ", "))
	}
	if e.Username == "" {
		e.Username = p.defaultUsername()
	} else if e.Username != p.defaultUsername() {
		if wrong := wrongUsername(e.Username, p); wrong != "" {
			return a.invalidParameter("%s", wrong)
		}
	}
	if len(e.Groups) > maxGroups {
		return a.invalidParameter("An access entry has at most %d kubernetesGroups.", maxGroups)
	}
	for _, group := range e.Groups {
		if prefix := awsName(group); prefix != "" {
			return a.invalidParameter("The kubernetes group name %s is invalid, it cannot start with %s", clipPath(group),
				prefix)
		}
		if group == "" || len(group) > 256 || hasControl(group) {
			return a.invalidParameter("The kubernetes group name %s is invalid: it has 1 to 256 printable characters.",
				quote(group))
		}
	}
	return nil
}

// wrongUsername says what is wrong with a username of the caller's own, or returns "". The rules are those of "Create
// access entries".
func wrongUsername(name string, p principal) string {
	switch prefix := awsName(name); {
	case prefix != "":
		return "The username must not begin with " + prefix
	case len(name) > 256 || hasControl(name):
		return "The username " + quote(name) + " must have at most 256 printable characters."
	}
	for _, found := range template.FindAllStringIndex(name, -1) {
		text := name[found[0]:found[1]]
		switch {
		case !slices.Contains([]string{"{{SessionName}}", "{{SessionNameRaw}}", "{{AccountID}}", "{{AccessKeyID}}"}, text):
			return "The username's template " + quote(text) + " is not one that EKS knows."
		case sessionName.MatchString(text) && p.kind != "role":
			return "A user has no session: " + text + " is for the usernames of roles."
		case sessionName.MatchString(text) && !strings.Contains(name[:found[0]], ":"):
			return "The username must have a colon before " + text + "."
		}
	}
	return ""
}

// awsName is the beginning of a name that is AWS's or Kubernetes' own; empty where it is not.
func awsName(name string) string {
	for _, prefix := range awsNames {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// admitNodes gives a node role its access entry, as EKS does for node groups and Fargate profiles where the
// authentication mode has entries, unless the role has one already. A role that IAM does not have gets none: its nodes
// could not be told from others.
func (s *Service) admitNodes(c change, roleARN, kind string) {
	a := about{cluster: c.cluster.Name}
	p, err := parsePrincipal(a, roleARN)
	if err != nil || c.cluster.AuthenticationMode == string(types.AuthenticationModeConfigMap) ||
		accessEntries.has(c.tx, c.cluster.ID, p.arn) {
		return
	}
	id, err := s.principalID(c.tx, a, p)
	if err != nil || id == "" {
		return
	}
	node := nodeEntries[kind]
	accessEntries.put(c.tx, region.AccessEntry{
		ClusterID: c.cluster.ID, ARN: s.accessEntryARN(c.cluster.Name, p, c.id), PrincipalARN: p.arn, PrincipalID: id,
		Type: kind, Username: node.username, Groups: node.groups, CreatedAt: c.now, ModifiedAt: c.now,
	})
}
