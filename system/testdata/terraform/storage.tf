# A volume of an instance, a snapshot of it, and another volume of that.

resource "aws_instance" "store" {
  ami               = data.aws_ami.nodes.id
  instance_type     = "m5.large"
  availability_zone = "us-east-1b"
  root_block_device { volume_size = 30 }
}

resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1b"
  size              = var.extra == "two" ? 20 : 10 # a change makes it larger
  type              = "gp3"
  iops              = 4000
  throughput        = 250
  encrypted         = true
  tags              = { Name = "data" }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.store.id
}

resource "aws_ebs_snapshot" "data" {
  volume_id   = aws_ebs_volume.data.id
  description = "the data of the store"
  tags        = { Name = "data" }
}

resource "aws_ebs_volume" "restored" {
  availability_zone = "us-east-1c"
  snapshot_id       = aws_ebs_snapshot.data.id
  type              = "gp3"
  encrypted         = true
}
