package ec2

import (
	"cmp"
	"fmt"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// flowLog is a flow log as stored and as EC2 shows it. It is recorded only: there is no traffic to write down.
type flowLog struct {
	FlowLogID     string    `xml:"flowLogId"`
	Created       string    `xml:"creationTime"`
	Status        string    `xml:"flowLogStatus"`
	DeliverStatus string    `xml:"deliverLogsStatus"`
	ResourceID    string    `xml:"resourceId"`
	TrafficType   string    `xml:"trafficType,omitempty"`
	Destination   string    `xml:"logDestination,omitempty"`
	Kind          string    `xml:"logDestinationType"`
	LogGroup      string    `xml:"logGroupName,omitempty"`
	RoleARN       string    `xml:"deliverLogsPermissionArn,omitempty"`
	CrossRoleARN  string    `xml:"deliverCrossAccountRole,omitempty"`
	Format        string    `xml:"logFormat"`
	Interval      int       `xml:"maxAggregationInterval"` // seconds
	Tags          list[tag] `xml:"tagSet" json:"-"`

	Token string `xml:"-"` // the call's ClientToken
}

// flowFormat is what a flow log writes down where nothing else is asked for.
const flowFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} " +
	"${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

// flowIntervals are the aggregation intervals there are, in seconds; the first is the default.
var flowIntervals = []int{600, 60}

var flowLogs = &kind[flowLog]{
	table: state.NewTable[entry[flowLog]]("ec2-flow-log"), prefix: "fl", noun: "flow log ID", code: "InvalidFlowLogId",
	id: func(v flowLog) string { return v.FlowLogID },
}

type describeFlowLogsInput struct {
	IDs        []string `ec2:"FlowLogId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeFlowLogsOutput struct {
	FlowLogs  list[flowLog] `xml:"flowLogSet"`
	NextToken string        `xml:"nextToken,omitempty"`
}

// describeFlowLogs leaves out ids that there are not, as EC2 does here.
func (s *Service) describeFlowLogs(call *operation.Call, in *describeFlowLogsInput) (*describeFlowLogsOutput, error) {
	var kept []string
	err := s.State.View(func(tx *state.Txn) error {
		kept = slices.DeleteFunc(slices.Clone(in.IDs), func(id string) bool {
			return !slices.ContainsFunc(flowLogs.all(s, tx), func(l flowLog) bool { return l.FlowLogID == id })
		})
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	if len(in.IDs) > 0 && len(kept) == 0 {
		return &describeFlowLogsOutput{}, nil
	}
	found, next, err := describe(s, call, flowLogs, kept, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *flowLog) { v.Tags = s.tagsOf(tx, v.FlowLogID) })
	return &describeFlowLogsOutput{found, next}, err
}

type createFlowLogsInput struct {
	ResourceIDs    []string           `ec2:"ResourceId,required"`
	ResourceType   string             `ec2:"ResourceType,required"`
	TrafficType    string             `ec2:"TrafficType"`
	Kind           string             `ec2:"LogDestinationType"`
	Destination    string             `ec2:"LogDestination"`
	LogGroup       string             `ec2:"LogGroupName"`
	RoleARN        string             `ec2:"DeliverLogsPermissionArn"`
	CrossRoleARN   string             `ec2:"DeliverCrossAccountRole"`
	Format         string             `ec2:"LogFormat"`
	Interval       *int               `ec2:"MaxAggregationInterval"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

func (in *createFlowLogsInput) check() error {
	wrong := func(value, parameter string) error {
		return refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid.", clip(value), parameter)
	}
	switch kind := cmp.Or(in.Kind, "cloud-watch-logs"); {
	case !slices.Contains([]string{"VPC", "Subnet", "NetworkInterface"}, in.ResourceType):
		return wrong(in.ResourceType, "resourceType")
	case !slices.Contains([]string{"ACCEPT", "REJECT", "ALL"}, in.TrafficType):
		return wrong(in.TrafficType, "trafficType")
	case !slices.Contains([]string{"cloud-watch-logs", "s3", "kinesis-data-firehose"}, kind):
		return wrong(in.Kind, "logDestinationType")
	case in.Destination != "" && in.LogGroup != "":
		return refuse("InvalidParameter", "Please only provide LogGroupName or only provide LogDestination.")
	case in.Destination == "" && in.LogGroup == "":
		return refuse("InvalidParameter", "LogDestination can't be empty if LogGroupName is not provided.")
	case kind == "cloud-watch-logs" && in.RoleARN == "":
		return refuse("InvalidParameter", "DeliverLogsPermissionArn can't be empty if LogDestinationType is "+
			"cloud-watch-logs.")
	case in.Interval != nil && !slices.Contains(flowIntervals, *in.Interval):
		return wrong(fmt.Sprint(*in.Interval), "maxAggregationInterval")
	}
	return nil
}

type createFlowLogsOutput struct {
	Token        string                 `xml:"clientToken,omitempty"`
	IDs          list[string]           `xml:"flowLogIdSet"`
	Unsuccessful list[unsuccessfulItem] `xml:"unsuccessful"`
}

// unsuccessfulItem says why one of several resources was not dealt with.
type unsuccessfulItem struct {
	ResourceID string       `xml:"resourceId"`
	Error      versionError `xml:"error"`
}

func (s *Service) createFlowLogs(call *operation.Call, in *createFlowLogsInput) (*createFlowLogsOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "vpc-flow-log")
	if err != nil {
		return nil, err
	}
	out := &createFlowLogsOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		out.IDs = nil
		for _, earlier := range flowLogs.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				out.IDs = append(out.IDs, earlier.FlowLogID)
			}
		}
		if len(out.IDs) > 0 {
			return nil
		}
		for _, resourceID := range in.ResourceIDs {
			if err := s.watched(tx, in.ResourceType, resourceID); err != nil {
				return err
			}
			made := flowLog{FlowLogID: newID("fl"), Created: timestamp(s.now()), Status: "ACTIVE", DeliverStatus: "SUCCESS",
				ResourceID:  resourceID,
				TrafficType: in.TrafficType, Destination: in.Destination, Kind: cmp.Or(in.Kind,
					"cloud-watch-logs"), LogGroup: in.LogGroup, RoleARN: in.RoleARN,
				CrossRoleARN: in.CrossRoleARN, Format: cmp.Or(in.Format, flowFormat), Interval: flowIntervals[0], Token: in.Token}
			if in.Interval != nil {
				made.Interval = *in.Interval
			}
			if made.Kind == "cloud-watch-logs" && made.Destination == "" {
				made.Destination = "arn:aws:logs:" + s.VPC.Region + ":" + s.VPC.AccountID + ":log-group:" + in.LogGroup
			}
			flowLogs.put(s, tx, made)
			tags.Put(tx, made.FlowLogID, given)
			out.IDs = append(out.IDs, made.FlowLogID)
		}
		return nil
	})
}

// watched refuses a resource that is not there.
func (s *Service) watched(tx *state.Txn, resourceType, id string) (err error) {
	switch resourceType {
	case "VPC":
		_, err = vpcs.get(s, tx, id)
	case "Subnet":
		_, err = subnets.get(s, tx, id)
	default:
		_, err = interfaces.get(s, tx, id)
	}
	return err
}

type deleteFlowLogsInput struct {
	IDs []string `ec2:"FlowLogId,required"`
}

type deleteFlowLogsOutput struct {
	Unsuccessful list[unsuccessfulItem] `xml:"unsuccessful"`
}

// deleteFlowLogs deletes those that it can, and says of each other why not, as EC2 does.
func (s *Service) deleteFlowLogs(call *operation.Call, in *deleteFlowLogsInput) (*deleteFlowLogsOutput, error) {
	out := &deleteFlowLogsOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Unsuccessful = nil
		for _, id := range in.IDs {
			if _, err := flowLogs.get(s, tx, id); err != nil {
				refusal := flowLogs.notFound(clip(id))
				out.Unsuccessful = append(out.Unsuccessful, unsuccessfulItem{id, versionError{refusal.Code, refusal.Message}})
				continue
			}
			if err := flowLogs.delete(s, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}
